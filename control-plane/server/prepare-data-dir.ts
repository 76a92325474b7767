import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';

/**
 * Makes the folder, or takes an existing one of this user's, and closes it to everybody else (0700).
 * @returns Its absolute path.
 * @throws ProvisionError `data_dir_unusable`.
 */
export function prepareDataDir(dataDir: string): string {
  const path = resolve(dataDir);
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const stat = lstatSync(path);
    const uid = process.geteuid?.() ?? stat.uid;
    // In a folder of somebody else's, or behind a link that he can turn, keys would not stay private.
    if (!stat.isDirectory() || stat.uid !== uid) {
      const why = stat.isDirectory() ? `belongs to user ${stat.uid}, not to ${uid}` : 'is not a folder';
      throw new ProvisionError('data_dir_unusable', `the data directory ${path} ${why}`, { facts: { path } });
    }
    chmodSync(path, 0o700);
    return path;
  } catch (cause) {
    if (cause instanceof ProvisionError) throw cause;
    throw new ProvisionError('data_dir_unusable', `the data directory ${path} cannot be made or opened`, {
      cause,
      facts: { path, errno: errnoOf(cause) ?? null },
    });
  }
}
