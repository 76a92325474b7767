import type { DatabaseSync } from 'node:sqlite';
import type { AgentFrame } from '../../protocol/agent-frames.ts';

/** What is kept of one machine's lines, bytes of JSON; the oldest go first. */
export const keptLogBytes = 4 * 1024 * 1024;

export interface AgentLogEntry {
  readonly received_at: string;
  readonly command_uuid: string | null;
  readonly lines: readonly string[];
}

export interface AgentLogs {
  /** Lines that were collected and are not kept any more, the oldest. */
  readonly dropped_lines: number;
  readonly entries: readonly AgentLogEntry[];
}

/** Stores the lines of a `log` frame, inside the caller's transaction. */
export function storeLog(
  db: DatabaseSync,
  machineUuid: string,
  frame: AgentFrame<'log'> & { receivedAt: string },
): void {
  const lines = JSON.stringify(frame.lines);
  const sizeBytes = Buffer.byteLength(lines);
  db.prepare(
    `INSERT INTO agent_logs (machine_uuid, command_uuid, received_at, lines, line_count, size_bytes)
     VALUES (?, ?, ?, ?, ?, ?)`,
  ).run(machineUuid, frame.command_uuid, frame.receivedAt, lines, frame.lines.length, sizeBytes);
  const total = db
    .prepare(
      `INSERT INTO agent_log_totals (machine_uuid, stored_bytes, dropped_lines) VALUES (?, ?, 0)
       ON CONFLICT (machine_uuid) DO UPDATE SET stored_bytes = stored_bytes + excluded.stored_bytes
       RETURNING stored_bytes`,
    )
    .get(machineUuid, sizeBytes);
  dropOldest(db, machineUuid, Number(total?.['stored_bytes']) - keptLogBytes);
}

function dropOldest(db: DatabaseSync, machineUuid: string, excessBytes: number): void {
  const oldest = db.prepare(
    'SELECT id, line_count, size_bytes FROM agent_logs WHERE machine_uuid = ? ORDER BY id LIMIT 1',
  );
  for (let excess = excessBytes; excess > 0; ) {
    const row = oldest.get(machineUuid);
    if (row === undefined) return;
    const sizeBytes = Number(row['size_bytes']);
    db.prepare('DELETE FROM agent_logs WHERE id = ?').run(Number(row['id']));
    db.prepare(
      `UPDATE agent_log_totals SET stored_bytes = stored_bytes - ?, dropped_lines = dropped_lines + ?
       WHERE machine_uuid = ?`,
    ).run(sizeBytes, Number(row['line_count']), machineUuid);
    excess -= sizeBytes;
  }
}

/** Everything that is kept of a machine's lines, oldest first. */
export function readLogs(db: DatabaseSync, machineUuid: string): AgentLogs {
  const total = db.prepare('SELECT dropped_lines FROM agent_log_totals WHERE machine_uuid = ?').get(machineUuid);
  const rows = db
    .prepare('SELECT received_at, command_uuid, lines FROM agent_logs WHERE machine_uuid = ? ORDER BY id')
    .all(machineUuid);
  return {
    dropped_lines: Number(total?.['dropped_lines'] ?? 0),
    entries: rows.map((row) => ({
      received_at: String(row['received_at']),
      command_uuid: row['command_uuid'] === null ? null : String(row['command_uuid']),
      lines: JSON.parse(String(row['lines'])) as string[],
    })),
  };
}
