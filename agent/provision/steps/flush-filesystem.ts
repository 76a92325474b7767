import { open } from 'node:fs/promises';
import { errnoOf, ProvisionError } from '../../../core/base/errors.ts';
import { native } from '../../native/load-native.ts';

/**
 * Returns when everything written to the filesystem of an open folder is on the medium (syncfs(2), which tells of write
 * errors since Linux 5.8: `warnOfOldKernel`).
 * @throws ProvisionError `device_full` when the medium has no room for it, else `device_io`.
 */
export async function flushFilesystem(fd: number, device: string): Promise<void> {
  try {
    await native.syncfs(fd);
  } catch (cause) {
    throw flushError(`the filesystem on ${device}`, device, cause);
  }
}

/**
 * Returns when everything written to a partition's node is on the medium: by programs such as mtools, which look at no
 * write-back, and by an unmount. A flush of the whole disk does not tell of it: the node has a page cache of its own,
 * which keeps an error until someone asks for it (Linux, Documentation/core-api/errseq.rst).
 * @throws ProvisionError `device_full`, `device_io`.
 */
export async function flushPartition(device: string): Promise<void> {
  await using handle = await open(device, 'r');
  try {
    await handle.sync();
  } catch (cause) {
    throw flushError(device, device, cause);
  }
}

function flushError(what: string, device: string, cause: unknown): ProvisionError {
  const errno = errnoOf(cause) ?? 'unknown';
  const code = errno === 'ENOSPC' || errno === 'EDQUOT' ? 'device_full' : 'device_io';
  return new ProvisionError(code, `${what} could not be flushed to the medium`, {
    cause,
    facts: { device, operation: 'flushing', errno },
  });
}
