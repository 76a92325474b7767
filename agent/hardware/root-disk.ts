import { realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { wholeDisksBelow } from './device-stack.ts';
import { readIdentity } from './disk-identity.ts';
import { readAttribute, realRoots, type SystemRoots } from './sysfs.ts';

export interface RootDisk {
  readonly serial: string | null;
  readonly wwn: string | null;
}

/**
 * The disk that the root filesystem lies on, through partitions, LVM, LUKS and md. Null where it is none (initramfs,
 * overlay, network) or more than one.
 */
export async function readRootDisk(roots: Partial<SystemRoots> = {}): Promise<RootDisk | null> {
  const all = { ...realRoots, ...roots };
  const mountinfo = (await readAttribute(join(all.procRoot, 'self/mountinfo'))) ?? '';
  // A later line with the same mount point covers the earlier one (proc(5)).
  const mounts = mountinfo.split('\n').map((line) => line.split(' '));
  const devno = mounts.findLast((fields) => fields[4] === '/')?.[2];
  if (devno === undefined) return null;
  const folder = await realpath(join(all.sysRoot, 'dev/block', devno)).catch(() => null);
  if (folder === null) return null;
  const [disk, ...others] = await wholeDisksBelow(basename(folder), all);
  if (disk === undefined || others.length > 0) return null;
  const { serial, wwn } = await readIdentity(disk, all);
  return { serial: serial?.slice(0, 256) ?? null, wwn: wwn?.slice(0, 256) ?? null };
}
