import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import { type CachedInstaller, hashFile } from './fetch-installer.ts';

/**
 * Copies the installer and reads the copy back: a boot loader checks nothing.
 * @throws ProvisionError `digest_mismatch`, `space_insufficient`, `permission`, `aborted`.
 */
export async function copyVerified(installer: CachedInstaller, to: string, signal: AbortSignal): Promise<void> {
  await writing(to, 0o600, async (file) => {
    for await (const chunk of createReadStream(installer.path, { signal, highWaterMark: 1024 * 1024 })) {
      await writeAll(file, chunk as Buffer);
    }
  });
  const { sha256 } = await hashFile(to, signal);
  if (sha256 === installer.sha256) return;
  const message = `the installer's copy ${to} is not what was written`;
  throw new ProvisionError('digest_mismatch', message, {
    facts: { path: to, expected: installer.sha256, found: sha256 },
  });
}

/** Writes a file in place and flushes it. @throws ProvisionError `space_insufficient`, `permission`. */
export async function writeFlushed(path: string, data: Uint8Array, mode = 0o600): Promise<void> {
  await writing(path, mode, async (file) => await writeAll(file, data));
}

async function writing(path: string, mode: number, write: (file: FileHandle) => Promise<void>): Promise<void> {
  try {
    await using file = await open(path, 'w', mode & 0o777);
    await write(file);
    await file.sync();
  } catch (cause) {
    if (cause instanceof ProvisionError || (cause instanceof Error && cause.name === 'AbortError')) throw cause;
    const isFull = errnoOf(cause) === 'ENOSPC';
    const message = isFull ? `there is no room for ${path}` : `${path} cannot be written`;
    throw new ProvisionError(isFull ? 'space_insufficient' : 'permission', message, { cause, facts: { path } });
  }
}

async function writeAll(file: FileHandle, data: Uint8Array): Promise<void> {
  for (let done = 0; done < data.length; ) done += (await file.write(data, done)).bytesWritten;
}
