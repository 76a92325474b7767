import { join } from 'node:path';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import type { DiskFacts } from '../disk/types.ts';
import { readDisk } from './read-disk.ts';
import { blockFolder, listNames, readAttribute, realRoots, type SystemRoots } from './sysfs.ts';

/** Every whole block device that the kernel knows, eligible or not, in the order of their names. */
export async function listDisks(roots: Partial<SystemRoots> = {}): Promise<DiskFacts[]> {
  const all = { ...realRoots, ...roots };
  const disks: DiskFacts[] = [];
  for (const name of await listNames(join(all.sysRoot, 'class/block'))) {
    const folder = blockFolder(all, name);
    if ((await readAttribute(join(folder, 'partition'))) !== null) continue;
    // One path of a multipath NVMe namespace (nvme0c1n1): the namespace itself is listed without it.
    if ((await readAttribute(join(folder, 'hidden'))) === '1') continue;
    try {
      disks.push(await readDisk(`/dev/${name}`, all));
    } catch (error) {
      // It went away between the listing and the reading.
      if (!(error instanceof ProvisionError && error.code === 'target_not_found') && errnoOf(error) !== 'ENOENT')
        throw error;
    }
  }
  return disks;
}

/**
 * Why a disk is never chosen by itself (by a rule, or as the only one); null when it may be. A disk that is named
 * outright is judged by `assertUsable` alone.
 */
export function isEligible(disk: DiskFacts): string | null {
  if (disk.kind !== 'disk') return `${disk.path} is ${articleOf[disk.kind]}`;
  if (disk.sizeBytes === 0) return `${disk.path} has size 0 (no medium, or a virtual drive without one)`;
  if (disk.readOnly) return `${disk.path} is read-only`;
  if (disk.removable) return `${disk.path} is a removable medium`;
  if (/virtual[ _]?(floppy|cd|media|hdisk)|lcdrive/i.test(disk.model ?? '')) {
    return `${disk.path} is a virtual drive of the management controller (${disk.model})`;
  }
  if (disk.isInstallerMedium === true) return `${disk.path} is installation media`;
  const blocker = disk.users.find((user) => !user.canStop);
  if (blocker) return `${blocker.device} is ${blocker.detail}`;
  return null;
}

const articleOf: Readonly<Record<DiskFacts['kind'], string>> = {
  disk: 'a disk',
  loop: 'a loop device',
  partition: 'a partition',
  cdrom: 'an optical drive',
  floppy: 'a floppy drive',
  zram: 'compressed memory (zram)',
  ram: 'a RAM disk',
  md: 'an md array',
  dm: 'a device-mapper device',
  other: 'no disk',
};
