import type { DatabaseSync } from 'node:sqlite';
import type { ProvisionHistoryEntry } from '../../protocol/api/provisions.ts';
import { json, number, text } from '../store/row-values.ts';

/** `boot_id` of what the server itself notes; no agent's, which have at least one character. */
const serverBootId = '';

export interface HistoryLine {
  readonly provisionUuid: string;
  readonly bootId: string;
  readonly seq: number;
  readonly kind: Exclude<ProvisionHistoryEntry['kind'], 'server'>;
  readonly event: object;
}

/** Keeps what an agent said of a run, once. @returns False when it is there already. */
export function addHistory(db: DatabaseSync, line: HistoryLine, receivedAt: string): boolean {
  const { changes } = db
    .prepare(
      `INSERT INTO provision_events (provision_uuid, boot_id, seq, received_at, kind, event) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (provision_uuid, boot_id, seq) DO NOTHING`,
    )
    .run(line.provisionUuid, line.bootId, line.seq, receivedAt, line.kind, JSON.stringify(line.event));
  return changes === 1;
}

/** Keeps what the server noted of a run: its changes of status. */
export function addServerHistory(db: DatabaseSync, provisionUuid: string, event: object, receivedAt: string): void {
  db.prepare(
    `INSERT INTO provision_events (provision_uuid, boot_id, seq, received_at, kind, event)
     SELECT ?1, ?2, coalesce(max(seq), 0) + 1, ?3, 'server', ?4 FROM provision_events
     WHERE provision_uuid = ?1 AND boot_id = ?2`,
  ).run(provisionUuid, serverBootId, receivedAt, JSON.stringify(event));
}

/** Everything that is known of a run, in the order it came. */
export function listHistory(db: DatabaseSync, provisionUuid: string, afterId = 0): ProvisionHistoryEntry[] {
  return db
    .prepare(
      `SELECT id, boot_id, seq, received_at, kind, event FROM provision_events
       WHERE provision_uuid = ? AND id > ? ORDER BY id`,
    )
    .all(provisionUuid, afterId)
    .map((row) => ({
      id: number(row, 'id'),
      received_at: text(row, 'received_at'),
      boot_id: text(row, 'boot_id'),
      seq: number(row, 'seq'),
      kind: text(row, 'kind') as ProvisionHistoryEntry['kind'],
      event: json(row, 'event') as Record<string, unknown>,
    }));
}
