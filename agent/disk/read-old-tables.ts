import { ProvisionError } from '../../core/base/errors.ts';
import { mebibyte, partitionRange, rangeEnd } from './geometry.ts';
import { parseBackupGpt, parseGpt } from './gpt.ts';
import { parseMbr } from './parse-mbr.ts';
import type { ByteRange, DiskFacts, Gpt, ReadBytes, SectorBytes } from './types.ts';

/** A partition of any table that is or was on the disk. */
export interface OldPartition extends ByteRange {
  readonly number: number;
  readonly table: 'gpt' | 'gpt backup' | 'dos' | 'kernel';
  /** GPT only. */
  readonly typeGuid: string | null;
}

export interface OldTables {
  readonly partitions: readonly OldPartition[];
  /** The tables themselves, for the report. */
  readonly tables: readonly { readonly name: string; readonly offsetBytes: number }[];
}

/**
 * Every partition table that can be found on a disk: GPT in both sector sizes at the start and at the end, DOS with
 * logical partitions, and what the kernel believes. Damaged tables are passed over.
 */
export async function readOldTables(
  read: ReadBytes,
  disk: Pick<DiskFacts, 'sizeBytes' | 'sectorBytes' | 'partitions'>,
): Promise<OldTables> {
  const partitions: OldPartition[] = [];
  const tables: { name: string; offsetBytes: number }[] = [];
  for (const found of await readGpts(read, disk.sizeBytes)) {
    tables.push({ name: found.table, offsetBytes: found.gpt.headerLba * found.gpt.sectorBytes });
    for (const partition of found.gpt.partitions) {
      const { number, typeGuid } = partition;
      partitions.push({ number, typeGuid, table: found.table, ...partitionRange(found.gpt, partition) });
    }
  }
  const dos = await parseMbr(read, disk.sizeBytes, disk.sectorBytes);
  if (dos.length > 0) tables.push({ name: 'dos', offsetBytes: 0 });
  for (const { number, offsetBytes, lengthBytes } of dos) {
    partitions.push({ number, offsetBytes, lengthBytes, table: 'dos', typeGuid: null });
  }
  for (const { number, startBytes, sizeBytes } of disk.partitions) {
    partitions.push({ number, offsetBytes: startBytes, lengthBytes: sizeBytes, table: 'kernel', typeGuid: null });
  }
  return { partitions: distinct(partitions, disk.sizeBytes), tables };
}

async function readGpts(read: ReadBytes, sizeBytes: number): Promise<{ table: 'gpt' | 'gpt backup'; gpt: Gpt }[]> {
  const headBytes = Math.min(mebibyte, sizeBytes);
  const head = await read(0, headBytes);
  const tail = await read(sizeBytes - headBytes, headBytes);
  const found: { table: 'gpt' | 'gpt backup'; gpt: Gpt }[] = [];
  for (const sectorBytes of [512, 4096] as const satisfies readonly SectorBytes[]) {
    const primary = tryParse(() => parseGpt(head, sectorBytes));
    if (primary) found.push({ table: 'gpt', gpt: primary });
    if (sizeBytes % sectorBytes !== 0) continue;
    const backup = tryParse(() => parseBackupGpt(tail, sizeBytes - headBytes, sectorBytes));
    if (backup) found.push({ table: 'gpt backup', gpt: backup });
  }
  return found;
}

function tryParse(parse: () => Gpt): Gpt | null {
  try {
    return parse();
  } catch (error) {
    if (error instanceof ProvisionError && error.code === 'gpt_invalid') return null;
    throw error;
  }
}

function distinct(partitions: readonly OldPartition[], sizeBytes: number): OldPartition[] {
  const byPlace = new Map<string, OldPartition>();
  for (const partition of partitions) {
    if (partition.offsetBytes >= sizeBytes) continue;
    const lengthBytes = Math.min(rangeEnd(partition), sizeBytes) - partition.offsetBytes;
    const key = `${partition.offsetBytes}+${lengthBytes}`;
    if (lengthBytes > 0 && !byPlace.has(key)) byPlace.set(key, { ...partition, lengthBytes });
  }
  return [...byPlace.values()].sort((a, b) => a.offsetBytes - b.offsetBytes);
}
