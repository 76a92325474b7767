import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { ProvisionError } from '../../core/base/errors.ts';
import { dataFiles } from './data-files.ts';

/** SQLITE_BUSY (https://sqlite.org/rescode.html#busy). */
const sqliteBusy = 5;

/**
 * Takes the data directory for this process: an exclusive transaction on a database of its own, whose lock the kernel
 * frees when the process ends, however it ends (fcntl(2) locks; https://sqlite.org/lockingv3.html).
 * @returns A function that gives it back.
 * @throws ProvisionError `data_dir_in_use`, `data_dir_unusable`.
 */
export function lockDataDir(dataDir: string): () => void {
  const { lock } = dataFiles(dataDir);
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(lock, { timeout: 0 });
    chmodSync(lock, 0o600);
    // Nothing is ever written: no journal has to lie beside it.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    const held = db;
    return () => {
      if (held.isOpen) held.close();
    };
  } catch (cause) {
    db?.close();
    if (isBusy(cause)) {
      throw new ProvisionError('data_dir_in_use', `another durantic server runs with the data directory ${dataDir}`, {
        facts: { path: dataDir },
      });
    }
    throw new ProvisionError('data_dir_unusable', `the data directory ${dataDir} cannot be locked`, {
      cause,
      facts: { path: lock },
    });
  }
}

function isBusy(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'errcode' in error && error.errcode === sqliteBusy;
}
