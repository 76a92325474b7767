import { crc32 } from 'node:zlib';
import { ProvisionError } from '../../core/base/errors.ts';
import { guidToText } from './guid.ts';
import type { Gpt, GptPartition, SectorBytes } from './types.ts';

const signature = Buffer.from('EFI PART', 'latin1');
const unusedType = '00000000-0000-0000-0000-000000000000';
const smallestHeaderBytes = 92;
const largestEntryCount = 4096;

/** Where a header lies in the buffer, and which LBA the buffer's first byte is. */
interface Placement {
  readonly buffer: Buffer;
  readonly firstLba: number;
  readonly sectorBytes: SectorBytes;
  readonly headerLba: number;
}

/**
 * Reads the primary table from the start of a disk. The buffer begins at LBA 0 and holds the entries too.
 * Format: UEFI specification 2.10, sections 5.3.2 and 5.3.3.
 * @throws ProvisionError `gpt_invalid` for anything that firmware or kernel would not take, or would read differently.
 */
export function parseGpt(buffer: Buffer, sectorBytes: SectorBytes): Gpt {
  return parseTable({ buffer, firstLba: 0, sectorBytes, headerLba: 1 });
}

/**
 * Reads the backup table from the end of a disk. The buffer begins at `offsetBytes` of the disk and ends with its last
 * sector, where the header is.
 * @throws ProvisionError `gpt_invalid`
 */
export function parseBackupGpt(buffer: Buffer, offsetBytes: number, sectorBytes: SectorBytes): Gpt {
  const firstLba = offsetBytes / sectorBytes;
  return parseTable({
    buffer,
    firstLba,
    sectorBytes,
    headerLba: firstLba + Math.floor(buffer.length / sectorBytes) - 1,
  });
}

/**
 * Reads the primary table without knowing the sector size: it is told by where the header is (byte 512 or 4096).
 * @throws ProvisionError `gpt_invalid`, also when neither place holds a header.
 */
export function detectGpt(head: Buffer): Gpt {
  const candidates = ([512, 4096] as const).filter((size) => hasSignature(head, size));
  if (candidates.length === 0) throw invalid('there is no GPT header at byte 512 or 4096', {});
  let first: unknown;
  for (const sectorBytes of candidates) {
    try {
      return parseGpt(head, sectorBytes);
    } catch (error) {
      first ??= error;
    }
  }
  throw first;
}

function hasSignature(buffer: Buffer, offset: number): boolean {
  return buffer.subarray(offset, offset + signature.length).equals(signature);
}

function parseTable(place: Placement): Gpt {
  const { buffer, firstLba, sectorBytes, headerLba } = place;
  const header = checkedHeader(place);
  const gpt = {
    sectorBytes,
    headerLba,
    backupLba: lba(header, 32, 'the other header'),
    firstUsableLba: lba(header, 40, 'the first usable sector'),
    lastUsableLba: lba(header, 48, 'the last usable sector'),
    diskGuid: guidToText(header.subarray(56, 72)),
    entriesLba: lba(header, 72, 'the entries'),
    entryCount: header.readUInt32LE(80),
    entryBytes: header.readUInt32LE(84),
  };
  if (gpt.entryBytes < 128 || gpt.entryBytes > 4096 || (gpt.entryBytes & (gpt.entryBytes - 1)) !== 0) {
    throw invalid(`the entries of the GPT have ${gpt.entryBytes} bytes each`, { entry_bytes: gpt.entryBytes });
  }
  if (gpt.entryCount < 1 || gpt.entryCount > largestEntryCount) {
    throw invalid(`the GPT has ${gpt.entryCount} entries`, { entry_count: gpt.entryCount });
  }
  const start = (gpt.entriesLba - firstLba) * sectorBytes;
  const length = gpt.entryCount * gpt.entryBytes;
  const entries = buffer.subarray(Math.max(0, start), Math.max(0, start) + length);
  if (start < 0 || entries.length < length) {
    throw invalid('the entries of the GPT lie outside what was read', { entries_lba: gpt.entriesLba });
  }
  if (crc32(entries) !== header.readUInt32LE(88)) throw invalid('the checksum of the GPT entries is wrong', {});
  refuseMisplacedEntries(gpt, length);
  const partitions = usedEntries(entries, gpt.entryBytes);
  refuseBadExtents(partitions, gpt);
  return { ...gpt, partitions };
}

function checkedHeader(place: Placement): Buffer {
  const offset = (place.headerLba - place.firstLba) * place.sectorBytes;
  const sector = place.buffer.subarray(offset, offset + place.sectorBytes);
  if (sector.length < place.sectorBytes || !hasSignature(sector, 0)) {
    throw invalid(`there is no GPT header at sector ${place.headerLba}`, { header_lba: place.headerLba });
  }
  if (sector.readUInt32LE(8) !== 0x00010000) {
    throw invalid(`the GPT has revision 0x${sector.readUInt32LE(8).toString(16)}, not 1.0`, {});
  }
  const headerBytes = sector.readUInt32LE(12);
  if (headerBytes < smallestHeaderBytes || headerBytes > place.sectorBytes) {
    throw invalid(`the GPT header claims ${headerBytes} bytes`, { header_bytes: headerBytes });
  }
  const header = Buffer.from(sector.subarray(0, headerBytes));
  const stored = header.readUInt32LE(16);
  header.writeUInt32LE(0, 16);
  if (crc32(header) !== stored) throw invalid('the checksum of the GPT header is wrong', {});
  const own = lba(header, 24, 'itself');
  if (own !== place.headerLba) {
    throw invalid(`the GPT header at sector ${place.headerLba} says it is at sector ${own}`, { header_lba: own });
  }
  return header;
}

function refuseMisplacedEntries(gpt: Omit<Gpt, 'partitions'>, lengthBytes: number): void {
  const lastLba = gpt.entriesLba + Math.ceil(lengthBytes / gpt.sectorBytes) - 1;
  const isPrimary = gpt.headerLba < gpt.backupLba;
  const fits = isPrimary
    ? gpt.entriesLba > gpt.headerLba && lastLba < gpt.firstUsableLba && gpt.lastUsableLba < gpt.backupLba
    : gpt.entriesLba > gpt.lastUsableLba && lastLba < gpt.headerLba && gpt.firstUsableLba > gpt.backupLba;
  if (fits && gpt.firstUsableLba <= gpt.lastUsableLba) return;
  throw invalid('header, entries and usable sectors of the GPT overlap', {
    entries_lba: gpt.entriesLba,
    first_usable_lba: gpt.firstUsableLba,
    last_usable_lba: gpt.lastUsableLba,
    backup_lba: gpt.backupLba,
  });
}

function usedEntries(entries: Buffer, entryBytes: number): GptPartition[] {
  const partitions: GptPartition[] = [];
  for (let offset = 0; offset < entries.length; offset += entryBytes) {
    const entry = entries.subarray(offset, offset + entryBytes);
    const typeGuid = guidToText(entry.subarray(0, 16));
    if (typeGuid === unusedType) continue;
    const number = offset / entryBytes + 1;
    const name = entry.toString('utf16le', 56, 128);
    const end = name.indexOf('\0');
    partitions.push({
      number,
      typeGuid,
      uniqueGuid: guidToText(entry.subarray(16, 32)),
      firstLba: lba(entry, 32, `the start of partition ${number}`),
      lastLba: lba(entry, 40, `the end of partition ${number}`),
      attributes: entry.readBigUInt64LE(48),
      name: end === -1 ? name : name.slice(0, end),
    });
  }
  return partitions;
}

function refuseBadExtents(partitions: readonly GptPartition[], gpt: Omit<Gpt, 'partitions'>): void {
  let previous: GptPartition | undefined;
  for (const partition of [...partitions].sort((a, b) => a.firstLba - b.firstLba)) {
    const { number, firstLba, lastLba } = partition;
    const facts = { partition: number, first_lba: firstLba, last_lba: lastLba };
    if (lastLba < firstLba) throw invalid(`partition ${number} ends before it starts`, facts);
    if (firstLba < gpt.firstUsableLba || lastLba > gpt.lastUsableLba) {
      throw invalid(`partition ${number} lies outside the usable sectors of the GPT`, facts);
    }
    if (previous && firstLba <= previous.lastLba) {
      throw invalid(`partitions ${previous.number} and ${number} overlap`, facts);
    }
    previous = partition;
  }
}

function lba(buffer: Buffer, offset: number, what: string): number {
  const value = buffer.readBigUInt64LE(offset);
  if (value > BigInt(Math.floor(Number.MAX_SAFE_INTEGER / 4096))) {
    throw invalid(`the GPT says that ${what} is at sector ${value}`, { lba: value.toString() });
  }
  return Number(value);
}

function invalid(message: string, facts: Record<string, number | string>): ProvisionError {
  return new ProvisionError('gpt_invalid', message, { facts });
}
