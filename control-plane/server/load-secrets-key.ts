import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { ProvisionError } from '../../core/base/errors.ts';
import { writePrivateFile } from '../store/write-private-file.ts';
import type { DataFiles } from './data-files.ts';

const keyBytes = 32;

/**
 * The key that the database's secrets are sealed under. It is made before the database and never again: another key
 * beside old data would make every secret unreadable without a word.
 * @throws ProvisionError `server_key_missing`, `server_key_invalid`.
 */
export function loadSecretsKey(files: DataFiles): Uint8Array {
  if (!existsSync(files.secretsKey)) {
    refuseNewKey(files, files.secretsKey);
    writePrivateFile(files.secretsKey, randomBytes(keyBytes));
  }
  const key = readFileSync(files.secretsKey);
  if (key.length !== keyBytes) {
    throw new ProvisionError('server_key_invalid', `${files.secretsKey} is not a key of ${keyBytes} bytes`, {
      facts: { path: files.secretsKey, size_bytes: key.length },
    });
  }
  return key;
}

/** @throws ProvisionError `server_key_missing` when there is a database already, to which the missing key belongs. */
export function refuseNewKey(files: DataFiles, missing: string): void {
  if (!existsSync(files.database)) return;
  throw new ProvisionError(
    'server_key_missing',
    `${missing} is missing, and ${files.database} is there: put the file back, or restore a backup`,
    { facts: { path: missing } },
  );
}
