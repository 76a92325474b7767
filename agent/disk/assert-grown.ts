import { ProvisionError } from '../../core/base/errors.ts';
import { parseBackupGpt } from './gpt.ts';
import type { TableGuids } from './plan-table.ts';
import type { Gpt, GptPartition, GrownTable } from './types.ts';

export interface PlannedGrowth {
  readonly imageGpt: Gpt;
  /** What is held back of the image, as the image has it. */
  readonly imageHead: Buffer;
  readonly rootLastLba: number;
  readonly guids: TableGuids;
}

/** Boot code of the MBR, before the disk signature and the entries (which sgdisk rewrites). */
const bootCodeBytes = 440;

/**
 * Compares the table that sgdisk made with the image's: nothing but the root's end, the GUIDs and the place of the backup
 * may differ, and primary and backup must say the same.
 * @throws ProvisionError `invariant` naming the first difference.
 */
export function assertGrownAsPlanned(grown: GrownTable, plan: PlannedGrowth): void {
  const { gpt } = grown;
  const { imageGpt, imageHead } = plan;
  const backup = parseBackupGpt(grown.tail, grown.tailOffsetBytes, gpt.sectorBytes);
  const lastLba = (grown.tailOffsetBytes + grown.tail.length) / gpt.sectorBytes - 1;
  require(gpt.backupLba === lastLba && backup.headerLba === lastLba, 'the backup table is not in the last sector');
  require(gpt.diskGuid === plan.guids.disk && backup.diskGuid === gpt.diskGuid, 'the disk GUID is another');
  require(gpt.partitions.length === imageGpt.partitions.length, 'the number of partitions changed');
  require(describe(backup.partitions) === describe(gpt.partitions), 'primary and backup table differ');
  for (const old of imageGpt.partitions) {
    const now = gpt.partitions.find((partition) => partition.number === old.number);
    const isRoot = old.number === grown.rootNumber;
    const wanted = { ...old, lastLba: isRoot ? plan.rootLastLba : old.lastLba };
    require(now?.uniqueGuid === plan.guids.partitions.get(old.number), `partition ${old.number} has another GUID`);
    const actual = now && { ...now, uniqueGuid: old.uniqueGuid };
    require(describe(actual ? [actual] : []) ===
      describe([wanted]), `partition ${old.number} changed otherwise than planned`);
  }
  const entriesEnd = imageGpt.entriesLba * gpt.sectorBytes + imageGpt.entryCount * imageGpt.entryBytes;
  const sameBytes = (from: number, to: number): boolean =>
    grown.head.subarray(from, to).equals(imageHead.subarray(from, to));
  require(sameBytes(0, bootCodeBytes), 'the boot code changed');
  require(sameBytes(entriesEnd, imageHead.length), 'what follows the table changed');
}

function describe(partitions: readonly GptPartition[]): string {
  return JSON.stringify(partitions, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString(16) : value));
}

function require(condition: boolean, what: string): asserts condition {
  if (condition) return;
  throw new ProvisionError('invariant', `the table made by sgdisk is not what was planned: ${what}`);
}
