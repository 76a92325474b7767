import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { transaction } from './open-database.ts';

/** UUID of the server's only account, which is made at the first start. */
export function ensureAccount(db: DatabaseSync, nowMs: number): string {
  return transaction(db, () => {
    const row = db.prepare('SELECT uuid FROM accounts').get();
    if (row !== undefined) return String(row['uuid']);
    const uuid = randomUUID();
    db.prepare('INSERT INTO accounts (uuid, name, created_at) VALUES (?, ?, ?)').run(
      uuid,
      'default',
      new Date(nowMs).toISOString(),
    );
    return uuid;
  });
}
