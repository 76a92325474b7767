import type { DatabaseSync } from 'node:sqlite';

/** Boots per machine whose receipts are kept; a machine has unacknowledged frames of very few. */
const keptBoots = 64;

/** Highest seq of that boot that is stored, 0 when none. */
export function acknowledgedSeq(db: DatabaseSync, machineUuid: string, bootId: string): number {
  const row = db
    .prepare('SELECT seq FROM agent_receipts WHERE machine_uuid = ? AND boot_id = ?')
    .get(machineUuid, bootId);
  return Number(row?.['seq'] ?? 0);
}

export interface Receipt {
  readonly machineUuid: string;
  readonly bootId: string;
  readonly seq: number;
  readonly time: string;
}

/** Inside the transaction that stores the frame: everything up to `seq` is a repetition from now on. */
export function writeReceipt(db: DatabaseSync, { machineUuid, bootId, seq, time }: Receipt): void {
  const isNewBoot = acknowledgedSeq(db, machineUuid, bootId) === 0;
  db.prepare(
    `INSERT INTO agent_receipts (machine_uuid, boot_id, seq, updated_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (machine_uuid, boot_id) DO UPDATE SET seq = MAX(seq, excluded.seq), updated_at = excluded.updated_at`,
  ).run(machineUuid, bootId, seq, time);
  if (!isNewBoot) return;
  db.prepare(
    `DELETE FROM agent_receipts WHERE machine_uuid = ?1 AND boot_id IN
     (SELECT boot_id FROM agent_receipts WHERE machine_uuid = ?1 ORDER BY updated_at DESC LIMIT -1 OFFSET ${keptBoots})`,
  ).run(machineUuid);
}
