import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../context.ts';
import { createApiToken } from '../enrolment/api-tokens.ts';
import { ensureAccount } from '../store/ensure-account.ts';
import { openDatabase, transaction } from '../store/open-database.ts';

export interface Store {
  readonly db: DatabaseSync;
  readonly accountUuid: string;
  /** An API token when the account was made now; it is stored as a hash only. */
  readonly adminToken: string | null;
}

/** Opens the database; account and first API token are made together or not at all. @throws ProvisionError */
export function openStore(file: string, clock: Clock): Store {
  const db = openDatabase(file);
  try {
    return transaction(db, () => {
      const isNew = db.prepare('SELECT 1 FROM accounts').get() === undefined;
      const nowMs = clock.now();
      const accountUuid = ensureAccount(db, nowMs);
      const adminToken = isNew ? createApiToken(db, { accountUuid, name: 'first start', nowMs }).token : null;
      return { db, accountUuid, adminToken };
    });
  } catch (error) {
    db.close();
    throw error;
  }
}
