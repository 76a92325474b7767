import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { ProvisionError } from '../../core/base/errors.ts';
import { openDatabase } from '../store/open-database.ts';
import { migrations } from '../store/schema.ts';
import { type DataFiles, dataFiles } from './data-files.ts';
import { lockDataDir } from './lock-data-dir.ts';
import { existingDataDir } from './prepare-data-dir.ts';

export interface OpenedDatabase extends Disposable {
  readonly db: DatabaseSync;
  readonly files: DataFiles;
  readonly accountUuid: string;
}

/**
 * Opens the database of a server that may be running, for a command beside it. A schema that is older than this program
 * is changed only when no server runs on it.
 * @throws ProvisionError `data_dir_unusable`, `data_dir_in_use`, `database_unusable`.
 */
export function openServerDatabase(dataDir: string): OpenedDatabase {
  const path = existingDataDir(dataDir);
  const files = dataFiles(path);
  if (!existsSync(files.database)) throw noData(path);
  const unlock = schemaVersionOf(files.database) < migrations.length ? lockDataDir(path) : () => undefined;
  try {
    const db = openDatabase(files.database);
    const row = db.prepare('SELECT uuid FROM accounts').get();
    if (row === undefined) {
      db.close();
      throw noData(path);
    }
    return { db, files, accountUuid: String(row['uuid']), [Symbol.dispose]: () => db.close() };
  } finally {
    unlock();
  }
}

function noData(path: string): ProvisionError {
  return new ProvisionError('data_dir_unusable', `no server has been started with the data directory ${path} yet`, {
    facts: { path },
  });
}

function schemaVersionOf(file: string): number {
  try {
    using db = new DatabaseSync(file, { readOnly: true });
    return Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  } catch (cause) {
    throw new ProvisionError('database_unusable', `${file} cannot be used as the server's database`, { cause });
  }
}
