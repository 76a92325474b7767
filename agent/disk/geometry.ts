import { ProvisionError } from '../../core/base/errors.ts';
import type { ByteRange, Gpt, GptPartition, SectorBytes } from './types.ts';

export const mebibyte = 1024 * 1024;

/** Where a partition lies, in bytes. */
export function partitionRange(gpt: Gpt, partition: GptPartition): ByteRange {
  return {
    offsetBytes: partition.firstLba * gpt.sectorBytes,
    lengthBytes: (partition.lastLba - partition.firstLba + 1) * gpt.sectorBytes,
  };
}

/** Size of the raw disk that a primary table describes: up to and with its backup header. */
export function rawDiskBytes(gpt: Gpt): number {
  return (Math.max(gpt.headerLba, gpt.backupLba) + 1) * gpt.sectorBytes;
}

/** The least that a primary table takes: protective MBR, header, 128 entries of 128 bytes. */
export function smallestHeadBytes(sectorBytes: SectorBytes): number {
  return sectorBytes === 512 ? 34 * 512 : 6 * 4096;
}

/** What a backup table takes at the end of a disk: 128 entries of 128 bytes and the header. */
export function backupTableBytes(sectorBytes: SectorBytes): number {
  return smallestHeadBytes(sectorBytes) - sectorBytes;
}

/**
 * How many bytes from the start of the disk are held back until the commit: what precedes the first partition, at
 * least the table, at most 1 MiB (provisioning.md, invariant 1).
 * @throws ProvisionError `gpt_invalid` when a partition begins inside the table, or the table's entries end past it.
 */
export function headHoldBytes(gpt: Gpt): number {
  const firstPartition = Math.min(...gpt.partitions.map((partition) => partition.firstLba * gpt.sectorBytes), mebibyte);
  const hold = Math.max(firstPartition, smallestHeadBytes(gpt.sectorBytes));
  const entriesEnd = gpt.entriesLba * gpt.sectorBytes + gpt.entryCount * gpt.entryBytes;
  if (hold > firstPartition || entriesEnd > hold) {
    throw new ProvisionError('gpt_invalid', 'the first partition or the first MiB begins inside the partition table', {
      facts: { first_partition_bytes: firstPartition, entries_end_bytes: entriesEnd },
    });
  }
  return hold;
}

/** Where the image keeps its backup table: what follows the last usable sector. */
export function backupGptRange(gpt: Gpt): ByteRange {
  const offsetBytes = (gpt.lastUsableLba + 1) * gpt.sectorBytes;
  return { offsetBytes, lengthBytes: rawDiskBytes(gpt) - offsetBytes };
}

export function rangeEnd(range: ByteRange): number {
  return range.offsetBytes + range.lengthBytes;
}

export function rangesOverlap(a: ByteRange, b: ByteRange): boolean {
  return a.offsetBytes < rangeEnd(b) && b.offsetBytes < rangeEnd(a);
}

/** The parts of `range` that none of `holes` covers, in order. */
export function subtractRanges(range: ByteRange, holes: readonly ByteRange[]): ByteRange[] {
  const parts: ByteRange[] = [];
  let from = range.offsetBytes;
  for (const hole of [...holes].sort((a, b) => a.offsetBytes - b.offsetBytes)) {
    if (!rangesOverlap(range, hole)) continue;
    if (hole.offsetBytes > from) parts.push({ offsetBytes: from, lengthBytes: hole.offsetBytes - from });
    from = Math.max(from, rangeEnd(hole));
  }
  if (from < rangeEnd(range)) parts.push({ offsetBytes: from, lengthBytes: rangeEnd(range) - from });
  return parts;
}

/** The ranges in order, clipped to the device, those that touch or overlap joined. */
export function mergeRanges(ranges: readonly ByteRange[], sizeBytes: number): ByteRange[] {
  const merged: ByteRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.offsetBytes - b.offsetBytes)) {
    const from = Math.max(0, range.offsetBytes);
    const to = Math.min(sizeBytes, rangeEnd(range));
    if (to <= from) continue;
    const last = merged.at(-1);
    if (last && from <= rangeEnd(last)) {
      merged[merged.length - 1] = { ...last, lengthBytes: Math.max(rangeEnd(last), to) - last.offsetBytes };
    } else {
      merged.push({ offsetBytes: from, lengthBytes: to - from });
    }
  }
  return merged;
}
