import { lstatSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import { syncFolder } from '../identity/write-private-file.ts';

/**
 * Opens a file with the flags of open(3), and flushes it when `use` has ended.
 * @throws ProvisionError `space_insufficient`, `permission`; what `use` throws as one or because it was aborted.
 */
export async function withFlushedFile(
  path: string,
  flags: 'w' | 'wx' | 'r+',
  use: (file: FileHandle) => Promise<void>,
): Promise<void> {
  try {
    await using file = await open(path, flags, 0o600);
    await use(file);
    await file.sync();
  } catch (cause) {
    throw writeError(path, cause);
  }
}

/**
 * A new file that its owner alone can read. On a file system that knows no modes (FAT) the options of its mount decide
 * who can, and they hold for each mount of it: where that is more than its owner, nothing is written.
 * @throws ProvisionError `installer_unreachable` naming the mount, `space_insufficient`, `permission`.
 */
export async function writeSecret(path: string, data: Uint8Array): Promise<void> {
  try {
    await withFlushedFile(path, 'wx', async (file) => {
      const { mode, uid } = await file.stat();
      if ((mode & 0o077) !== 0 || uid !== process.geteuid?.()) throw exposed(path);
      await writeAll(file, data);
    });
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}

/**
 * Writes over the beginning of a file that exists: it keeps its blocks, its mode and owner, and at no time it is empty.
 * @throws ProvisionError `permission`.
 */
export async function overwriteStart(path: string, data: Uint8Array): Promise<void> {
  await withFlushedFile(path, 'r+', async (file) => await writeAll(file, data, 0));
}

/**
 * Replaces a file as a whole, with the mode and owner that it has: after a power cut there is the old one or the new one.
 * A link stays, what it leads to is replaced. A file that is not there is made with mode 0600.
 * @throws ProvisionError `space_insufficient`, `permission`.
 */
export async function replaceFile(path: string, data: Uint8Array): Promise<void> {
  const temporary = temporaryOf(path);
  try {
    const before = statSync(path, { throwIfNoEntry: false });
    rmSync(temporary, { force: true });
    await withFlushedFile(temporary, 'wx', async (file) => {
      const made = await file.stat();
      if (before !== undefined) {
        // FAT refuses both, also where nothing changes.
        if (before.uid !== made.uid || before.gid !== made.gid) await file.chown(before.uid, before.gid);
        if (before.mode !== made.mode) await file.chmod(before.mode & 0o7777);
      }
      await writeAll(file, data);
    });
    renameSync(temporary, realPathOf(path));
    syncFolder(dirname(temporary));
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw writeError(path, cause);
  }
}

/** Removes what a replacement that was cut off has left. */
export function removeHalfReplaced(path: string): void {
  rmSync(temporaryOf(path), { force: true });
}

/** Writes everything, where the file stands or from `at` (bytes) on. */
export async function writeAll(file: FileHandle, data: Uint8Array, at: number | null = null): Promise<void> {
  for (let done = 0; done < data.length; ) {
    const { bytesWritten } = await file.write(data, done, data.length - done, at === null ? null : at + done);
    done += bytesWritten;
  }
}

/** Beside the file itself: a rename works within one file system only. */
function temporaryOf(path: string): string {
  return `${realPathOf(path)}.durantic-new`;
}

function realPathOf(path: string): string {
  return statSync(path, { throwIfNoEntry: false }) === undefined ? path : realpathSync(path);
}

function exposed(path: string): ProvisionError {
  const mount = mountPointOf(dirname(path));
  const message = `every user could read the machine's key on ${mount}, whose file system knows no modes: mount it with umask=0077`;
  return new ProvisionError('installer_unreachable', message, { facts: { mount, path } });
}

function mountPointOf(dir: string): string {
  const parent = dirname(dir);
  const isSame = parent !== dir && lstatSync(parent).dev === lstatSync(dir).dev;
  return isSame ? mountPointOf(parent) : dir;
}

function writeError(path: string, cause: unknown): unknown {
  if (cause instanceof ProvisionError || (cause instanceof Error && cause.name === 'AbortError')) return cause;
  const isFull = errnoOf(cause) === 'ENOSPC';
  const message = isFull ? `there is no room for ${path}` : `${path} cannot be written`;
  return new ProvisionError(isFull ? 'space_insufficient' : 'permission', message, { cause, facts: { path } });
}
