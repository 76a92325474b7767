import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';

/**
 * Makes the folder, or takes an existing one of this user's, and closes it to everybody else (0700).
 * @returns Its absolute path.
 * @throws ProvisionError `data_dir_unusable`.
 */
export function prepareDataDir(dataDir: string): string {
  return checkedFolder(resolve(dataDir), true);
}

/** The same for a folder that must be there. */
export function existingDataDir(dataDir: string): string {
  return checkedFolder(resolve(dataDir), false);
}

function checkedFolder(path: string, isMade: boolean): string {
  try {
    if (isMade) mkdirSync(path, { recursive: true, mode: 0o700 });
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
    throw new ProvisionError(
      'data_dir_unusable',
      `the data directory ${path} cannot be ${isMade ? 'made or ' : ''}opened`,
      {
        cause,
        facts: { path, errno: errnoOf(cause) ?? null },
      },
    );
  }
}
