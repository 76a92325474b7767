import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { ProvisionError } from '../../core/base/errors.ts';
import { migrations } from './schema.ts';

/**
 * Opens the server's database and brings it to this version's schema. What a statement wrote when its transaction ended
 * is on the disk (`synchronous = FULL`), so that neither kill -9 nor a power cut takes back what was answered.
 * @param file Path, or `:memory:` for a test.
 * @throws ProvisionError `database_unusable` when it is not ours, newer than this program, or cannot be opened.
 */
export function openDatabase(file: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file, { enableForeignKeyConstraints: true, timeout: 10_000 });
    if (file !== ':memory:') chmodSync(file, 0o600);
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;');
    migrate(db, file);
    return db;
  } catch (cause) {
    db?.close();
    if (cause instanceof ProvisionError) throw cause;
    throw new ProvisionError('database_unusable', `${file} cannot be used as the server's database`, {
      cause,
      facts: { path: file },
    });
  }
}

/** `user_version` counts the migrations that were applied. */
function migrate(db: DatabaseSync, file: string): void {
  const row = db.prepare('PRAGMA user_version').get();
  const version = Number(row?.['user_version'] ?? 0);
  if (version > migrations.length) {
    throw new ProvisionError('database_unusable', `${file} was written by a newer version of durantic`, {
      facts: { path: file, schema_version: version, schema_version_known: migrations.length },
    });
  }
  for (const [index, sql] of migrations.entries()) {
    if (index < version) continue;
    transaction(db, () => {
      db.exec(sql);
      db.exec(`PRAGMA user_version = ${index + 1}`);
    });
  }
}

/**
 * Runs `work` in one transaction: all of it is on the disk when this returns, nothing of it when it throws. Inside
 * another transaction it becomes part of that one.
 */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  if (db.isTransaction) return work();
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
