import { DatabaseSync } from 'node:sqlite';
import { ProvisionError } from '../../../core/base/errors.ts';

/** @throws ProvisionError `backup_invalid` unless the file is a whole database of a server. */
export function checkDatabase(file: string): void {
  try {
    using db = new DatabaseSync(file, { readOnly: true });
    const problem = String(db.prepare('PRAGMA integrity_check').get()?.['integrity_check']);
    if (problem !== 'ok') throw new Error(problem);
    if (db.prepare('SELECT count(*) AS n FROM accounts').get()?.['n'] !== 1) throw new Error('it has no account');
  } catch (cause) {
    throw new ProvisionError('backup_invalid', `the database in ${file} is damaged`, { cause });
  }
}
