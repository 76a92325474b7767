import type { DatabaseSync } from 'node:sqlite';
import type { MachineListItem } from '../../protocol/api/machines.ts';
import { boolean, number, numberOrNull, text, textOrNull } from '../store/row-values.ts';

/** A machine's newest run. */
export interface LastRun {
  readonly summary: NonNullable<MachineListItem['last_provision']>;
  readonly diskState: string | null;
  /** This run or one before has ended well. */
  readonly hasInstalled: boolean;
}

/** Machine → its newest run; of all machines or of one. */
export function lastRuns(db: DatabaseSync, machineUuid: string | null): Map<string, LastRun> {
  const columns = `uuid, machine_uuid, status, current_step, current_message, progress_percent, rate_bps, disk_state,
    EXISTS (SELECT 1 FROM provisions AS other WHERE other.machine_uuid = provisions.machine_uuid
      AND other.status IN ('completed', 'degraded')) AS has_installed`;
  const rows =
    machineUuid === null
      ? db
          .prepare(
            `SELECT ${columns} FROM provisions WHERE rowid IN (SELECT max(rowid) FROM provisions GROUP BY machine_uuid)`,
          )
          .all()
      : db
          .prepare(`SELECT ${columns} FROM provisions WHERE machine_uuid = ? ORDER BY rowid DESC LIMIT 1`)
          .all(machineUuid);
  return new Map(
    rows.map((row) => [
      text(row, 'machine_uuid'),
      {
        summary: {
          uuid: text(row, 'uuid'),
          status: text(row, 'status') as LastRun['summary']['status'],
          current_step: text(row, 'current_step'),
          current_message: text(row, 'current_message'),
          progress_percent: Math.floor(number(row, 'progress_percent')),
          rate_bps: numberOrNull(row, 'rate_bps'),
        },
        diskState: textOrNull(row, 'disk_state'),
        hasInstalled: boolean(row, 'has_installed'),
      },
    ]),
  );
}
