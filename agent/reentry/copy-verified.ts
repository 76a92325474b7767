import { createReadStream } from 'node:fs';
import { ProvisionError } from '../../core/base/errors.ts';
import { type CachedInstaller, hashFile } from './fetch-installer.ts';
import { withFlushedFile, writeAll } from './flushed-files.ts';

/**
 * Copies the installer and reads the copy back: a boot loader checks nothing.
 * @throws ProvisionError `digest_mismatch`, `space_insufficient`, `permission`, `aborted`.
 */
export async function copyVerified(installer: CachedInstaller, to: string, signal: AbortSignal): Promise<void> {
  await withFlushedFile(to, 'w', async (file) => {
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
