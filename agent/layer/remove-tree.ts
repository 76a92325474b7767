import { closeSync, constants, openSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { throwIfAborted } from '../../core/base/abort.ts';
import { errnoOf } from '../../core/base/errors.ts';

/** Downloads go on between so many removals. */
const removalsPerTurn = 500;

/**
 * Removes a name of an open folder with all that is below it, never through a symlink; what is not there is no error.
 * Names are byte strings (latin1). One descriptor for each level, so that paths may be longer than PATH_MAX.
 */
export async function removeTree(directoryFd: number, name: string, signal: AbortSignal): Promise<void> {
  let count = 0;
  const turn = async (): Promise<void> => {
    count += 1;
    if (count % removalsPerTurn !== 0) return;
    throwIfAborted(signal);
    await nextTurn();
  };
  await remove(directoryFd, name, turn);
}

async function remove(directoryFd: number, name: string, turn: () => Promise<void>): Promise<void> {
  const path = pathOf(directoryFd, name);
  if (unlinkAnything(path)) return;
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    for (const child of readdirSync(pathOf(fd, '.'), { encoding: 'latin1' })) {
      await turn();
      if (!unlinkAnything(pathOf(fd, child))) await remove(fd, child, turn);
    }
  } finally {
    closeSync(fd);
  }
  rmdirSync(path);
}

/** @returns false for a folder. */
function unlinkAnything(path: Buffer): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return true;
    // POSIX lets unlink say EPERM for a folder; Linux filesystems say EISDIR.
    if (errno === 'EISDIR') return false;
    throw error;
  }
}

function pathOf(directoryFd: number, name: string): Buffer {
  return Buffer.from(`/proc/self/fd/${directoryFd}/${name}`, 'latin1');
}
