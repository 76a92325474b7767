import { throwIfAborted } from '../../core/base/abort.ts';
import { errnoOf } from '../../core/base/errors.ts';
import { blockFolder, readNumber, realRoots, type SystemRoots } from '../hardware/sysfs.ts';
import { native } from '../native/load-native.ts';
import { deviceError } from './device-error.ts';
import { mebibyte, rangeEnd } from './geometry.ts';
import type { ByteRange, DiskContext, OpenTarget } from './types.ts';
import { isZero } from './zero-runs.ts';

export interface DeviceAbilities {
  readonly canDiscard: boolean;
  /** It has a command for zeros; whether it is any faster than writing them shows only when it is used. */
  readonly makesZeros: boolean;
}

const discardChunkBytes = 16 * 1024 * mebibyte;
const zeroChunkBytes = 64 * mebibyte;
/**
 * Slower than this, as a spinning disk is, writing the image's zeros costs about the same, and making them twice would
 * cost more. `queue/rotational` does not tell: virtual disks claim to be rotational.
 */
const slowestZerosBytesPerSecond = 1024 * mebibyte;
const sampleBytes = 64 * 1024;
const sampleCount = 64;
/** Errors by which a device says that it does not know the command, however it was advertised. */
const refusals = new Set(['EOPNOTSUPP', 'ENOTTY', 'EINVAL', 'EREMOTEIO']);

/** What the kernel says a disk can do (Documentation/ABI/stable/sysfs-block, queue/). */
export async function readDeviceAbilities(name: string, roots: SystemRoots = realRoots): Promise<DeviceAbilities> {
  const queue = `${blockFolder(roots, name)}/queue`;
  return {
    canDiscard: (await readNumber(`${queue}/discard_max_bytes`, 0)) > 0,
    makesZeros: (await readNumber(`${queue}/write_zeroes_max_bytes`, 0)) > 0,
  };
}

/**
 * Tells the device to forget a range (BLKDISCARD). What it reads as afterwards is up to the device, and not relied on.
 * @returns what it took; less than the range, or nothing, where it refuses.
 * @throws ProvisionError of kind `device` with the offset.
 */
export async function discardRange(target: OpenTarget, range: ByteRange, ctx: DiskContext): Promise<ByteRange[]> {
  const took = await inChunks(range, discardChunkBytes, async (chunk) => {
    throwIfAborted(ctx.signal);
    return await ask(target, chunk, { operation: 'discarding', call: native.blkDiscard, ctx });
  });
  return took === 0 ? [] : [{ offsetBytes: range.offsetBytes, lengthBytes: took }];
}

/**
 * Has the device make a range zero (BLKZEROOUT): the kernel's promise, unlike a discard's, is that it reads as zeros
 * from then on. Samples are read back all the same; one that is not zero, and none of it is relied on. Stops early
 * where the device turns out to be no faster than writing.
 * @returns what is zero for sure.
 */
export async function zeroByDevice(target: OpenTarget, range: ByteRange, ctx: DiskContext): Promise<ByteRange[]> {
  let isSlow = false;
  const took = await inChunks(range, zeroChunkBytes, async (chunk) => {
    throwIfAborted(ctx.signal);
    if (isSlow) return false;
    const begun = performance.now();
    const isDone = await ask(target, chunk, { operation: 'zeroing', call: native.blkZeroout, ctx });
    const seconds = (performance.now() - begun) / 1000;
    isSlow = chunk.lengthBytes / seconds < slowestZerosBytesPerSecond;
    return isDone;
  });
  const zeroed = { offsetBytes: range.offsetBytes, lengthBytes: took };
  if (took === 0 || !(await samplesAreZero(target, zeroed, ctx))) return [];
  return [zeroed];
}

async function inChunks(
  range: ByteRange,
  chunkBytes: number,
  take: (chunk: ByteRange) => Promise<boolean>,
): Promise<number> {
  let at = range.offsetBytes;
  while (at < rangeEnd(range)) {
    const lengthBytes = Math.min(chunkBytes, rangeEnd(range) - at);
    if (!(await take({ offsetBytes: at, lengthBytes }))) break;
    at += lengthBytes;
  }
  return Math.max(0, at - range.offsetBytes);
}

interface Asking {
  readonly operation: 'discarding' | 'zeroing';
  readonly call: (fd: number, offsetBytes: number, lengthBytes: number) => Promise<void>;
  readonly ctx: DiskContext;
}

async function ask(target: OpenTarget, chunk: ByteRange, how: Asking): Promise<boolean> {
  try {
    await how.call(target.fd, chunk.offsetBytes, chunk.lengthBytes);
    return true;
  } catch (error) {
    if (!refusals.has(errnoOf(error) ?? ''))
      throw deviceError(error, { ...chunk, operation: how.operation, path: target.path });
    how.ctx.log.info({ device: target.path, errno: errnoOf(error) }, `${how.operation}: the device refuses`);
    return false;
  }
}

async function samplesAreZero(target: OpenTarget, range: ByteRange, ctx: DiskContext): Promise<boolean> {
  const stride = Math.max(sampleBytes, Math.floor(range.lengthBytes / sampleCount));
  for (let at = range.offsetBytes; at < rangeEnd(range); at += stride) {
    const sample = await target.read(at, Math.min(sampleBytes, rangeEnd(range) - at));
    if (isZero(sample)) continue;
    const message = 'the device says that it made zeros and gives back something else: everything will be written';
    ctx.log.warn({ device: target.path, offset_bytes: at }, message);
    return false;
  }
  return true;
}
