import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { blockFolder, listNames, readAttribute, type SystemRoots } from './sysfs.ts';

/** Names of the whole disks that a device lies on in the end, through md, device-mapper and partitions. */
export async function wholeDisksBelow(name: string, roots: SystemRoots): Promise<string[]> {
  const disks = new Set<string>();
  const visit = async (current: string): Promise<void> => {
    const folder = blockFolder(roots, current);
    const slaves = await listNames(join(folder, 'slaves'));
    if (slaves.length > 0) {
      for (const slave of slaves) await visit(slave);
      return;
    }
    const whole = await wholeDiskOf(current, roots);
    if (whole === current) disks.add(current);
    else await visit(whole);
  };
  await visit(name);
  return [...disks].sort();
}

/** The disk that a partition belongs to; a whole disk gives itself. */
export async function wholeDiskOf(name: string, roots: SystemRoots): Promise<string> {
  const folder = blockFolder(roots, name);
  if ((await readAttribute(join(folder, 'partition'))) === null) return name;
  return basename(dirname(await realpath(folder)));
}

export interface VolumeGroup {
  /** With hyphens, as LVM prints it. */
  readonly uuid: string;
  /** Whole disks below any active volume of the group. */
  readonly disks: readonly string[];
}

/**
 * The volume group of an active LVM volume: its device-mapper UUID is `LVM-`, the group's UUID and the volume's UUID,
 * 32 characters each without hyphens (lvm2, lib/activate/dev_manager.c).
 */
export async function lvmVolumeGroup(dmUuid: string, roots: SystemRoots): Promise<VolumeGroup> {
  const prefix = dmUuid.slice(0, 'LVM-'.length + 32);
  const disks = new Set<string>();
  for (const name of await listNames(join(roots.sysRoot, 'class/block'))) {
    const uuid = await readAttribute(join(blockFolder(roots, name), 'dm/uuid'));
    if (uuid?.startsWith(prefix) !== true) continue;
    for (const disk of await wholeDisksBelow(name, roots)) disks.add(disk);
  }
  const bare = prefix.slice('LVM-'.length);
  const cuts = [0, 6, 10, 14, 18, 22, 26, 32];
  const uuid = cuts
    .slice(1)
    .map((end, index) => bare.slice(cuts[index], end))
    .join('-');
  return { uuid, disks: [...disks].sort() };
}
