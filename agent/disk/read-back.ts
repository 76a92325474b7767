import { createHash } from 'node:crypto';
import { throwIfAborted } from '../../core/base/abort.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import { native } from '../native/load-native.ts';
import { sectorsRead } from './device-reads.ts';
import type { HashedRange } from './image-hashes.ts';
import type { OpenTarget } from './types.ts';

/** Sectors of /sys/block/NAME/stat, whatever the device's own are (Documentation/block/stat.rst). */
const statSectorBytes = 512;

export interface ReadBackOptions {
  readonly signal: AbortSignal;
}

/**
 * Reads what was written of layer 0 back from the medium and compares it. The page cache is dropped first (BLKFLSBUF),
 * and the device's own counter shows that the reads reached it.
 * @throws ProvisionError `read_back_mismatch` with the offset; `kernel_feature_missing` when the reads were answered by
 * a cache; `device_io` when the device cannot read.
 */
export async function readBackImage(
  target: OpenTarget,
  ranges: readonly HashedRange[],
  options: ReadBackOptions,
): Promise<void> {
  await target.flush();
  await native.blkFlushBuffers(target.fd);
  const before = sectorsRead(target.path);
  let readBytes = 0;
  for (const { parts, sha256 } of ranges) {
    throwIfAborted(options.signal);
    const hash = createHash('sha256');
    for (const { offsetBytes, lengthBytes } of parts) {
      hash.update(await target.read(offsetBytes, lengthBytes));
      readBytes += lengthBytes;
    }
    if (!hash.digest().equals(sha256)) throw mismatch(target, parts[0]?.offsetBytes ?? 0);
  }
  assertReadsReachedDevice(target.path, (sectorsRead(target.path) - before) * statSectorBytes, readBytes);
}

/** @throws ProvisionError `kernel_feature_missing` when the device delivered fewer bytes than were read. */
export function assertReadsReachedDevice(path: string, deviceBytes: number, readBytes: number): void {
  if (deviceBytes >= readBytes) return;
  throw new ProvisionError(
    'kernel_feature_missing',
    `reading ${path} back was answered by a cache: ${readBytes} bytes were read and the device delivered ${deviceBytes}`,
    { facts: { device: path, read_bytes: readBytes, device_bytes: deviceBytes } },
  );
}

function mismatch(target: OpenTarget, offsetBytes: number): ProvisionError {
  return new ProvisionError(
    'read_back_mismatch',
    `${target.path} gives back other data than was written, in the 4 MiB from byte ${offsetBytes}; the disk or its controller is broken`,
    { facts: { device: target.path, offset_bytes: offsetBytes } },
  );
}
