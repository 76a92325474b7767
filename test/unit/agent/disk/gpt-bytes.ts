import { crc32 } from 'node:zlib';
import type { SectorBytes } from '../../../../agent/disk/types.ts';

export interface PartitionBytes {
  readonly number: number;
  readonly typeGuid?: string;
  readonly uniqueGuid?: string;
  readonly firstLba: number;
  readonly lastLba: number;
  readonly name?: string;
  readonly attributes?: bigint;
}

export interface TableBytes {
  readonly sectorBytes: SectorBytes;
  readonly sectors: number;
  readonly partitions: readonly PartitionBytes[];
  readonly diskGuid?: string;
}

export const linuxRoot = '4f68bce3-e8cd-4db1-96e7-fbcaf984b709';

/** A whole disk in memory with a protective MBR, primary and backup GPT (UEFI 2.10, 5.3), written by other means than sgdisk. */
export function makeDisk(table: TableBytes): Buffer {
  const { sectorBytes, sectors } = table;
  const disk = Buffer.alloc(sectorBytes * sectors);
  const entries = Buffer.alloc(128 * 128);
  for (const partition of table.partitions) {
    const at = (partition.number - 1) * 128;
    guidBytes(partition.typeGuid ?? linuxRoot).copy(entries, at);
    guidBytes(partition.uniqueGuid ?? `00000000-0000-4000-8000-00000000000${partition.number % 10}`).copy(
      entries,
      at + 16,
    );
    entries.writeBigUInt64LE(BigInt(partition.firstLba), at + 32);
    entries.writeBigUInt64LE(BigInt(partition.lastLba), at + 40);
    entries.writeBigUInt64LE(partition.attributes ?? 0n, at + 48);
    entries.write((partition.name ?? '').slice(0, 36), at + 56, 'utf16le');
  }
  const entrySectors = entries.length / sectorBytes;
  const places = [
    { own: 1, other: sectors - 1, entriesLba: 2 },
    { own: sectors - 1, other: 1, entriesLba: sectors - 1 - entrySectors },
  ];
  for (const { own, other, entriesLba } of places) {
    entries.copy(disk, entriesLba * sectorBytes);
    header({ table, own, other, entriesLba, entrySectors, entries }).copy(disk, own * sectorBytes);
  }
  disk.writeUInt16LE(0xaa55, 510);
  disk.writeUInt8(0xee, 450);
  disk.writeUInt32LE(1, 454);
  disk.writeUInt32LE(Math.min(sectors - 1, 0xffffffff), 458);
  return disk;
}

/** Computes the checksum of a header again after it was changed. */
export function resealHeader(disk: Buffer, headerOffset: number): void {
  disk.writeUInt32LE(0, headerOffset + 16);
  disk.writeUInt32LE(crc32(disk.subarray(headerOffset, headerOffset + 92)), headerOffset + 16);
}

/** Computes the checksums of the primary table's entries and header again. */
export function resealEntries(disk: Buffer, sectorBytes: SectorBytes): void {
  disk.writeUInt32LE(crc32(disk.subarray(2 * sectorBytes, 2 * sectorBytes + 128 * 128)), sectorBytes + 88);
  resealHeader(disk, sectorBytes);
}

interface HeaderFields {
  readonly table: TableBytes;
  readonly own: number;
  readonly other: number;
  readonly entriesLba: number;
  readonly entrySectors: number;
  readonly entries: Buffer;
}

function header(fields: HeaderFields): Buffer {
  const { table, entrySectors } = fields;
  const bytes = Buffer.alloc(92);
  bytes.write('EFI PART', 0, 'latin1');
  bytes.writeUInt32LE(0x00010000, 8);
  bytes.writeUInt32LE(92, 12);
  const lbas = [fields.own, fields.other, 2 + entrySectors, table.sectors - 2 - entrySectors];
  for (const [index, lba] of lbas.entries()) bytes.writeBigUInt64LE(BigInt(lba), 24 + index * 8);
  guidBytes(table.diskGuid ?? '11111111-2222-4333-8444-555555555555').copy(bytes, 56);
  bytes.writeBigUInt64LE(BigInt(fields.entriesLba), 72);
  bytes.writeUInt32LE(128, 80);
  bytes.writeUInt32LE(128, 84);
  bytes.writeUInt32LE(crc32(fields.entries), 88);
  bytes.writeUInt32LE(crc32(bytes), 16);
  return bytes;
}

function guidBytes(text: string): Buffer {
  const [a = '', b = '', c = '', d = '', e = ''] = text.split('-');
  const swapped = [a, b, c].map((part) => Buffer.from(part, 'hex').reverse());
  return Buffer.concat([...swapped, Buffer.from(d + e, 'hex')]);
}
