import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ProvisionError } from '../../core/base/errors.ts';

/**
 * Replaces a file as a whole, readable by its owner only: after a crash or power cut at any point there is the old
 * contents or the new one, never a part. On return it is on the medium, its name included.
 * @throws ProvisionError `permission` naming the path.
 */
export function writePrivateFile(path: string, data: string | Uint8Array): void {
  const dir = dirname(path);
  // Beside the target, because a rename works within one filesystem only; leftovers of a crash are overwritten.
  const temporary = `${path}.new`;
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    rmSync(temporary, { force: true });
    const fd = openSync(temporary, 'wx', 0o600);
    try {
      writeFileSync(fd, data);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
    syncFolder(dir);
  } catch (cause) {
    removeQuietly(temporary);
    throw new ProvisionError('permission', `${path} cannot be written`, { cause, facts: { path } });
  }
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // What kept the file from being written is said by the caller.
  }
}

/** Puts the names of a folder on the medium (open(2), "O_DIRECTORY"; fsync(2), "NOTES"). */
export function syncFolder(dir: string): void {
  const fd = openSync(dir, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
