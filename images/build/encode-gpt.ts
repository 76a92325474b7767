import { crc32 } from 'node:zlib';
import type { DiskPlan, PlannedPartition } from './disk-plan.ts';

const entryCount = 128;
const entryBytes = 128;
const headerBytes = 92;

/** The two ends of a disk with a GUID partition table. */
export interface EncodedGpt {
  /** Protective MBR, header and entries, from LBA 0. */
  readonly head: Buffer;
  /** Backup entries and header. */
  readonly tail: Buffer;
  readonly tailOffsetBytes: number;
}

/**
 * The disk's partition table as bytes (UEFI specification 2.10, section 5.3). Written here and not by sgdisk, because
 * sgdisk takes every file for a disk of 512-byte sectors and picks its own GUIDs.
 */
export function encodeGpt(plan: DiskPlan): EncodedGpt {
  const { sectorBytes } = plan;
  const sectors = plan.diskBytes / sectorBytes;
  const entries = encodeEntries(plan);
  const entrySectors = entries.length / sectorBytes;
  const lastLba = sectors - 1;
  const common = {
    plan,
    firstUsableLba: 2 + entrySectors,
    lastUsableLba: lastLba - entrySectors - 1,
    entriesCrc: crc32(entries),
  };
  const head = Buffer.alloc((2 + entrySectors) * sectorBytes);
  protectiveMbr(sectors).copy(head, 0);
  encodeHeader({ ...common, ownLba: 1, otherLba: lastLba, entriesLba: 2 }).copy(head, sectorBytes);
  entries.copy(head, 2 * sectorBytes);

  const tail = Buffer.alloc((entrySectors + 1) * sectorBytes);
  entries.copy(tail, 0);
  encodeHeader({ ...common, ownLba: lastLba, otherLba: 1, entriesLba: lastLba - entrySectors }).copy(
    tail,
    entries.length,
  );
  return { head, tail, tailOffsetBytes: (lastLba - entrySectors) * sectorBytes };
}

function encodeEntries(plan: DiskPlan): Buffer {
  const bytes = Buffer.alloc(entryCount * entryBytes);
  for (const partition of [plan.biosBoot, plan.esp, plan.root]) {
    if (partition !== null) encodeEntry(partition).copy(bytes, (partition.number - 1) * entryBytes);
  }
  return bytes;
}

function encodeEntry(partition: PlannedPartition): Buffer {
  const entry = Buffer.alloc(entryBytes);
  guidBytes(partition.typeGuid).copy(entry, 0);
  guidBytes(partition.uniqueGuid).copy(entry, 16);
  entry.writeBigUInt64LE(BigInt(partition.firstLba), 32);
  entry.writeBigUInt64LE(BigInt(partition.lastLba), 40);
  entry.write(partition.name, 56, 72, 'utf16le');
  return entry;
}

interface HeaderFields {
  readonly plan: DiskPlan;
  readonly ownLba: number;
  readonly otherLba: number;
  readonly entriesLba: number;
  readonly firstUsableLba: number;
  readonly lastUsableLba: number;
  readonly entriesCrc: number;
}

function encodeHeader(fields: HeaderFields): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.write('EFI PART', 0, 'latin1');
  header.writeUInt32LE(0x00010000, 8);
  header.writeUInt32LE(headerBytes, 12);
  header.writeBigUInt64LE(BigInt(fields.ownLba), 24);
  header.writeBigUInt64LE(BigInt(fields.otherLba), 32);
  header.writeBigUInt64LE(BigInt(fields.firstUsableLba), 40);
  header.writeBigUInt64LE(BigInt(fields.lastUsableLba), 48);
  guidBytes(fields.plan.diskGuid).copy(header, 56);
  header.writeBigUInt64LE(BigInt(fields.entriesLba), 72);
  header.writeUInt32LE(entryCount, 80);
  header.writeUInt32LE(entryBytes, 84);
  header.writeUInt32LE(fields.entriesCrc, 88);
  header.writeUInt32LE(crc32(header), 16);
  return header;
}

/** UEFI specification 2.10, section 5.2.3: one entry of type 0xEE over the whole disk. */
function protectiveMbr(sectors: number): Buffer {
  const mbr = Buffer.alloc(512);
  const entry = 446;
  mbr.set([0x00, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff], entry);
  mbr.writeUInt32LE(1, entry + 8);
  mbr.writeUInt32LE(Math.min(sectors - 1, 0xffffffff), entry + 12);
  mbr.writeUInt16LE(0xaa55, 510);
  return mbr;
}

/** A GUID in the byte order of the GPT: the first three fields little-endian (UEFI specification 2.10, appendix A). */
export function guidBytes(guid: string): Buffer {
  const hex = Buffer.from(guid.replaceAll('-', ''), 'hex');
  return Buffer.concat([
    hex.subarray(0, 4).reverse(),
    hex.subarray(4, 6).reverse(),
    hex.subarray(6, 8).reverse(),
    hex.subarray(8),
  ]);
}
