import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import { loopsOfFile } from '../hardware/loops-of-file.ts';
import { readDisk } from '../hardware/read-disk.ts';
import { native } from '../native/load-native.ts';
import { flockOperations } from '../native/native.ts';
import { createDeviceIo } from './device-io.ts';
import { forgetPartitions } from './forget-partitions.ts';
import { attachLoop, detachLoop } from './loop-device.ts';
import { rawDevice } from './raw-device.ts';
import { retryBusy } from './retry-busy.ts';
import type { DiskContext, DiskFacts, OpenTarget, SectorBytes } from './types.ts';
import { whoLocks } from './who-holds.ts';

export interface OpenTargetOptions extends DiskContext {
  /** Logical sector size of the loop device that is made for a plain file; default 512. A block device has its own. */
  readonly sectorBytes?: SectorBytes;
  /** How often a busy disk is tried; default 14, about 9 seconds. */
  readonly busyAttempts?: number;
}

/**
 * Opens the disk that is going to be written, or locks a plain file (flock) and attaches it to a loop device. Until it is closed it holds an
 * exclusive flock on the whole disk, which keeps udev from probing and re-reading it, and until `releaseExclusive` an
 * O_EXCL open, which no mount, swap, md or LVM can be beside.
 * @throws ProvisionError `target_not_found`, `disk_busy` (naming the holder), `permission`, `disk_not_eligible`.
 */
export async function openTarget(path: string, options: OpenTargetOptions): Promise<OpenTarget> {
  const file = await plainFile(path);
  if (file === null) return await openDevice(await realpath(path), null, options);
  const lock = await lockFile(file, options);
  try {
    const device = await attachLoop(file, options.sectorBytes ?? 512, options);
    try {
      return await openDevice(device, { file, lock }, options);
    } catch (error) {
      await detachLoop(device, options).catch((cleanUp: unknown) => {
        options.log.warn({ err: cleanUp, device }, 'the loop device stays attached');
      });
      throw error;
    }
  } catch (error) {
    await lock.close();
    throw error;
  }
}

/** A file can be attached any number of times: this lock, and that it is attached nowhere, make it ours alone. */
async function lockFile(file: string, options: OpenTargetOptions): Promise<FileHandle> {
  const handle = await openFile(file, constants.O_RDWR);
  try {
    const lock = (): void => native.flock(handle.fd, flockOperations.exclusive | flockOperations.nonBlocking);
    // No udev looks at files: whoever holds one is going to hold it.
    const busy = { path: file, attempts: 1, holders: () => whoLocks(file), what: `locking ${file}` };
    await retryBusy(lock, busy, options);
    const loops = await loopsOfFile(file);
    if (loops.length === 0) return handle;
    throw new ProvisionError('disk_busy', `${file} is attached to ${loops.join(', ')} already`, {
      facts: { file, loops },
    });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The path when it is a plain file, null when it is a block device. */
async function plainFile(path: string): Promise<string | null> {
  const stats = await stat(path).catch((cause: unknown) => {
    const message = `there is no disk or file ${path}`;
    throw new ProvisionError('target_not_found', message, { cause, facts: { path } });
  });
  if (stats.isBlockDevice()) return null;
  if (!stats.isFile()) {
    throw new ProvisionError('target_not_found', `${path} is neither a disk nor a plain file`, { facts: { path } });
  }
  if (stats.size < 512) throw new ProvisionError('disk_not_eligible', `${path} is empty: its size is the disk's size`);
  return await realpath(path);
}

async function openDevice(path: string, backing: Backing | null, options: OpenTargetOptions): Promise<OpenTarget> {
  const facts = await readDisk(path);
  // A loop device can be opened for writing all the same; only its writes would fail.
  if (facts.readOnly)
    throw new ProvisionError('disk_not_eligible', `${path} is read-only`, { facts: { device: path } });
  const busy = { path, ...(options.busyAttempts === undefined ? {} : { attempts: options.busyAttempts }) };
  const handle = await openFile(path, constants.O_RDWR);
  try {
    const lock = (): void => native.flock(handle.fd, flockOperations.exclusive | flockOperations.nonBlocking);
    const lockers = { holders: () => whoLocks(path) };
    await retryBusy(lock, { ...busy, ...lockers, what: `locking ${path}` }, options);
    const openExclusive = (): Promise<FileHandle> => openFile(path, constants.O_RDONLY | constants.O_EXCL);
    const guard = await retryBusy(openExclusive, { ...busy, what: `opening ${path} for us alone` }, options);
    return makeTarget({ handle, guard, facts, backing, log: options.log });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function openFile(path: string, flags: number): Promise<FileHandle> {
  try {
    return await open(path, flags);
  } catch (cause) {
    const errno = errnoOf(cause) ?? '';
    if (['EACCES', 'EPERM', 'EROFS'].includes(errno)) {
      throw new ProvisionError('permission', `${path} cannot be opened for writing`, { cause, facts: { path, errno } });
    }
    if (['ENXIO', 'ENODEV', 'ENOMEDIUM', 'ENOENT'].includes(errno)) {
      throw new ProvisionError('device_vanished', `${path} is not there any more`, { cause, facts: { path, errno } });
    }
    throw cause;
  }
}

/** The plain file behind a loop device of ours. */
interface Backing {
  readonly file: string;
  readonly lock: FileHandle;
}

interface Opened {
  readonly handle: FileHandle;
  readonly guard: FileHandle;
  readonly facts: DiskFacts;
  readonly backing: Backing | null;
  readonly log: DiskContext['log'];
}

function makeTarget(opened: Opened): OpenTarget {
  const { handle, facts, backing, log } = opened;
  const { path, sizeBytes } = facts;
  const registered: OpenTarget['registered'] = new Map();
  let guard: FileHandle | null = opened.guard;
  let isOpen = true;

  const releaseExclusive = async (): Promise<void> => {
    const held = guard;
    guard = null;
    await held?.close();
  };

  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    const failures: unknown[] = [];
    const attempt = (action: () => Promise<unknown>): Promise<void> =>
      action().then(
        () => undefined,
        (error: unknown) => {
          log.warn({ err: error, device: path }, 'closing the disk');
          failures.push(error);
        },
      );
    await attempt(releaseExclusive);
    await attempt(() => forgetPartitions({ path, fd: handle.fd, registered }, { all: backing !== null, log }));
    await attempt(() => handle.close());
    if (backing !== null) {
      await attempt(() => detachLoop(path, { log }));
      await attempt(() => backing.lock.close());
    }
    if (failures.length > 0) throw failures[0];
  };

  return {
    path,
    sizeBytes,
    sectorBytes: facts.sectorBytes === 4096 ? 4096 : 512,
    fd: handle.fd,
    loopOf: backing?.file ?? null,
    registered,
    releaseExclusive,
    ...createDeviceIo(rawDevice(handle), { path, sizeBytes }),
    [Symbol.asyncDispose]: close,
  };
}
