import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { errnoOf, ProvisionError } from '../../../core/base/errors.ts';
import { retry } from '../../../core/base/retry.ts';
import { deviceError } from '../../disk/device-error.ts';
import type { DiskFacts, ReadBytes, SectorBytes } from '../../disk/types.ts';
import { isDiskRule } from '../../hardware/disk-rule.ts';
import { markInstallerMedia } from '../../hardware/installer-media.ts';
import { listDisks } from '../../hardware/list-disks.ts';
import { loopsOfFile } from '../../hardware/loops-of-file.ts';
import { readDisk } from '../../hardware/read-disk.ts';
import { resolveDisk } from '../../hardware/resolve-disk.ts';
import { untilDisksSettle } from '../../hardware/until-disks-settle.ts';
import type { ProvisionRequest, StepContext } from '../types.ts';

/** A disk as it was found, and whether it is a plain file that stands for one. */
export interface FoundTarget {
  readonly facts: DiskFacts;
  readonly isFile: boolean;
}

const pollMs = 1000;
/** Disks of one controller come one after the other: what is chosen among them is chosen when no more have come. */
const settledMs = 3000;

/**
 * What the target of an installation means: an existing plain file, a block device's path, a name or rule of protocol.md
 * (`target_disk`), or null for the only eligible disk. One that is not there is waited for, and that is said (failure
 * row F20); where disks are chosen from rather than named, their list has to have settled.
 * @throws ProvisionError `target_not_found`, `target_ambiguous`, `disk_not_eligible`, `aborted`.
 */
export async function findTarget(ctx: StepContext, request: TargetRequest): Promise<FoundTarget> {
  const { disk: spec, diskWaitMs } = request;
  if (diskWaitMs > 0 && (spec === null || isDiskRule(spec))) {
    const quietMs = Math.min(settledMs, diskWaitMs);
    await untilDisksSettle({ list: listDisks, quietMs, longestMs: diskWaitMs, signal: ctx.signal });
  }
  let isSaid = false;
  const attempts = 1 + Math.ceil(diskWaitMs / pollMs);
  return await retry(async () => await findNow(ctx, request), {
    ...{ attempts, firstDelayMs: pollMs, longestDelayMs: pollMs, random: () => 1, signal: ctx.signal },
    isRetryable: ({ code }) => code === 'target_not_found',
    onRetry: (error) => {
      if (!isSaid)
        // What it does comes first: a row of the screen has room for little more.
        ctx.warn(`waiting up to ${Math.round(diskWaitMs / 1000)} s for the disk to appear: ${error.message}`);
      isSaid = true;
    },
  });
}

export type TargetRequest = Pick<ProvisionRequest, 'disk' | 'diskWaitMs' | 'sectorBytes'>;

async function findNow(ctx: StepContext, { disk: spec, sectorBytes }: TargetRequest): Promise<FoundTarget> {
  const found = spec === null ? null : await statOrNull(spec);
  if (spec !== null && found?.isFile()) {
    return { facts: await fileFacts(spec, found.size, sectorBytes), isFile: true };
  }
  const disks = await markInstallerMedia(await listDisks(), ctx);
  if (spec !== null && found?.isBlockDevice()) {
    const facts = await readDisk(spec);
    // A partition, a CD or a zram device is not among the disks; assertUsable says so by name.
    const isDisk = disks.some(({ path }) => path === facts.path);
    return { facts: isDisk ? await resolveDisk(spec, disks) : facts, isFile: false };
  }
  if (found !== null) {
    throw new ProvisionError('target_not_found', `${spec} is neither a block device nor a plain file`);
  }
  if (spec?.startsWith('/') === true && !spec.startsWith('/dev/disk/')) {
    const hint = spec.startsWith('/dev/') ? '' : "; a plain file must be made first, its size is the disk's";
    throw new ProvisionError('target_not_found', `${spec} does not exist${hint}`);
  }
  return { facts: await resolveDisk(spec, disks), isFile: false };
}

/** Reads bytes of a disk that is not opened for writing yet. */
export async function withReader<T>(path: string, use: (read: ReadBytes) => Promise<T>): Promise<T> {
  await using handle = await open(path, 'r').catch((cause: unknown) => {
    throw deviceError(cause, { path, operation: 'reading', offsetBytes: 0, lengthBytes: 0 });
  });
  return await use(async (offsetBytes, lengthBytes) => {
    const buffer = Buffer.alloc(lengthBytes);
    const { bytesRead } = await handle.read(buffer, 0, lengthBytes, offsetBytes);
    return buffer.subarray(0, bytesRead);
  });
}

async function statOrNull(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(errnoOf(error) ?? '')) return null;
    throw new ProvisionError('target_not_found', `${path} cannot be looked at`, { cause: error });
  }
}

async function fileFacts(path: string, sizeBytes: number, sectorBytes: SectorBytes): Promise<DiskFacts> {
  const loops = await loopsOfFile(path);
  return {
    path,
    name: basename(path),
    devno: '',
    sizeBytes: sizeBytes - (sizeBytes % sectorBytes),
    sectorBytes,
    readOnly: false,
    removable: false,
    kind: 'loop',
    transport: null,
    model: null,
    serial: null,
    wwn: null,
    partitions: [],
    users: loops.map((loop) => ({
      device: path,
      kind: 'other',
      detail: `attached to ${loop}, which \`losetup -d ${loop}\` ends`,
      canStop: false,
      depth: 0,
    })),
  };
}
