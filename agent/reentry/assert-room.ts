import { statfsSync } from 'node:fs';
import { ProvisionError } from '../../core/base/errors.ts';

/** Kept free for the rest of the system. */
const spareBytes = 4 * 1024 * 1024;

/**
 * Checks that the file system of a folder takes a file of this size.
 * @throws ProvisionError `space_insufficient`.
 */
export function assertRoom(dir: string, sizeBytes: number, what: string): void {
  const { bavail, bsize } = statfsSync(dir);
  const freeBytes = bavail * bsize;
  if (freeBytes >= sizeBytes + spareBytes) return;
  const [have, need] = [Math.floor(freeBytes / 1024 / 1024), Math.ceil((sizeBytes + spareBytes) / 1024 / 1024)];
  throw new ProvisionError('space_insufficient', `${dir} has ${have} MiB free, ${what} needs ${need} MiB`, {
    facts: { path: dir, free_bytes: freeBytes, needed_bytes: sizeBytes + spareBytes },
  });
}
