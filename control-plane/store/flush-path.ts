import { open } from 'node:fs/promises';

/** Waits until what was written to the file, or which names a folder has, is on the disk (fsync(2)). */
export async function flushPath(path: string): Promise<void> {
  await using handle = await open(path, 'r');
  await handle.sync();
}
