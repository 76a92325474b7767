import { errnoOf, ProvisionError } from '../../../core/base/errors.ts';
import { native } from '../../native/load-native.ts';

/**
 * Returns when everything written to the filesystem of an open folder is on the medium (syncfs(2)).
 * @throws ProvisionError `device_full` when the medium has no room for it, else `device_io`.
 */
export async function flushFilesystem(fd: number, device: string): Promise<void> {
  try {
    await native.syncfs(fd);
  } catch (cause) {
    const errno = errnoOf(cause) ?? 'unknown';
    const code = errno === 'ENOSPC' || errno === 'EDQUOT' ? 'device_full' : 'device_io';
    throw new ProvisionError(code, `the root filesystem on ${device} could not be flushed to the medium`, {
      cause,
      facts: { device, operation: 'flushing', errno },
    });
  }
}
