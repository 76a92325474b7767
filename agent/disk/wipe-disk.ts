import { open, stat } from 'node:fs/promises';
import { ProvisionError } from '../../core/base/errors.ts';
import { readDisk } from '../hardware/read-disk.ts';
import { native } from '../native/load-native.ts';
import { assertUsable } from './assert-usable.ts';
import { createDeviceIo } from './device-io.ts';
import { eraseDisk } from './erase-disk.ts';
import { openTarget } from './open-target.ts';
import { rawDevice } from './raw-device.ts';
import { assertSameDisk } from './same-disk.ts';
import { stopUsers } from './stop-users.ts';
import type { DiskContext, DiskFacts, EraseReport, OpenTarget } from './types.ts';

export interface WipeOptions extends DiskContext {
  /** Block device, or plain file that holds a disk. */
  readonly path: string;
  /** Asked once, when it is known that the disk may be wiped and before anything is changed; false ends it. */
  readonly confirm: (disk: DiskFacts) => Promise<boolean>;
}

export interface WipeReport extends EraseReport {
  readonly path: string;
  readonly sizeBytes: number;
  readonly model: string | null;
  readonly serial: string | null;
  /** What used the disk and was stopped, one sentence each. */
  readonly stopped: readonly string[];
}

/**
 * Takes a disk out of use: afterwards nothing on it is recognised by firmware, kernel or tools. What lay between is
 * discarded where the device takes that, and else stays readable to whoever looks for it: the report says which.
 * @throws ProvisionError as `assertUsable`, `stopUsers`, `openTarget`, `eraseDisk`; `aborted` when it was not confirmed.
 */
export async function wipeDisk(options: WipeOptions): Promise<WipeReport> {
  const isFile = await stat(options.path).then(
    (stats) => stats.isFile(),
    () => false,
  );
  let stopped: string[] = [];
  let before: DiskFacts | null = null;
  if (!isFile) {
    before = await readDisk(options.path);
    await checkUnopened(before);
    await askFor(before, options);
    const readAgain = (): Promise<DiskFacts> => readDisk(options.path);
    stopped = await stopUsers(before, { readAgain }, options);
  }
  await using target = await openTarget(options.path, options);
  const disk = await readDisk(target.path);
  if (before === null) await askFor({ ...disk, path: options.path }, options);
  else assertSameDisk(before, disk);
  await assertUsable(disk, { read: target.read, mustBeIdle: true });
  const erased = await eraseDisk(target, disk, options);
  rereadTable(target, options);
  const { sizeBytes, model, serial } = disk;
  return { path: options.path, sizeBytes, model, serial, stopped, ...erased };
}

async function checkUnopened(disk: DiskFacts): Promise<void> {
  await using handle = await open(disk.path, 'r').catch((cause: unknown) => {
    throw new ProvisionError('permission', `${disk.path} cannot be opened`, { cause, facts: { device: disk.path } });
  });
  await assertUsable(disk, { read: createDeviceIo(rawDevice(handle), disk).read });
}

async function askFor(disk: DiskFacts, options: WipeOptions): Promise<void> {
  if (await options.confirm(disk)) return;
  throw new ProvisionError('aborted', `${disk.path} was not wiped, because that was not confirmed`, {
    diskState: 'untouched',
  });
}

/** So that udev and others see an empty disk; its partitions were forgotten one by one already. */
function rereadTable(target: OpenTarget, ctx: DiskContext): void {
  try {
    native.blkRereadTable(target.fd);
  } catch (error) {
    ctx.log.debug({ err: error, device: target.path }, 'the table was not re-read');
  }
}
