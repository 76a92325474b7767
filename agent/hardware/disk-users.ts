import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiskUser } from '../disk/types.ts';
import { lvmVolumeGroup, wholeDisksBelow } from './device-stack.ts';
import { blockFolder, deviceNumber, listNames, readAttribute, type SystemRoots } from './sysfs.ts';

/**
 * Everything that uses a disk: mounts (bind mounts and btrfs too), swap, and what is built upon the disk or one of its
 * partitions (md, LVM, LUKS, multipath, loop devices), however deep, with what in turn uses those.
 */
export async function readUsers(
  diskName: string,
  partNames: readonly string[],
  roots: SystemRoots,
): Promise<DiskUser[]> {
  const system = await readSystem(roots);
  const users: DiskUser[] = [];
  const seen = new Set<string>();
  const visit = async (name: string, depth: number): Promise<void> => {
    if (seen.has(name)) return;
    seen.add(name);
    users.push(...(await direct(name, depth, system, roots)));
    for (const holder of await listNames(join(blockFolder(roots, name), 'holders'))) {
      // The partitions of an md array, say, hold nothing by themselves: their users come with the visit below.
      users.push(await holderOf(holder, { diskName, depth: depth + 1 }, roots));
      await visit(holder, depth + 1);
      for (const part of await partitionNames(holder, roots)) await visit(part, depth + 2);
    }
  };
  for (const name of [diskName, ...partNames]) await visit(name, 0);
  const unique = new Map(users.map((user) => [`${user.kind} ${user.device} ${user.detail}`, user]));
  return [...unique.values()].sort((a, b) => b.depth - a.depth);
}

/** Names of the partitions of a disk, from sysfs. */
export async function partitionNames(name: string, roots: SystemRoots): Promise<string[]> {
  const names = await listNames(blockFolder(roots, name));
  const parts: string[] = [];
  for (const candidate of names.filter((entry) => entry.startsWith(name))) {
    if ((await readAttribute(join(blockFolder(roots, candidate), 'partition'))) !== null) parts.push(candidate);
  }
  return parts;
}

interface Mount {
  readonly devno: string;
  readonly source: string;
  readonly mountPoint: string;
}

interface System {
  readonly mounts: readonly Mount[];
  readonly swaps: readonly string[];
  /** Names of the devices of mounted btrfs filesystems, with the filesystem's UUID. */
  readonly btrfs: ReadonlyMap<string, string>;
  /** Loop devices by the path of their backing file. */
  readonly loops: ReadonlyMap<string, string>;
}

async function readSystem(roots: SystemRoots): Promise<System> {
  const btrfs = new Map<string, string>();
  const btrfsFolder = join(roots.sysRoot, 'fs/btrfs');
  for (const uuid of await listNames(btrfsFolder)) {
    for (const name of await listNames(join(btrfsFolder, uuid, 'devices'))) btrfs.set(name, uuid);
  }
  const loops = new Map<string, string>();
  for (const name of await listNames(join(roots.sysRoot, 'class/block'))) {
    const backing = name.startsWith('loop')
      ? await readAttribute(join(blockFolder(roots, name), 'loop/backing_file'))
      : null;
    if (backing !== null) loops.set(backing, name);
  }
  const mountInfo = (await readAttribute(join(roots.procRoot, 'self/mountinfo'))) ?? '';
  const swaps = (await readAttribute(join(roots.procRoot, 'swaps'))) ?? '';
  return {
    mounts: mountInfo.split('\n').filter(Boolean).map(parseMount),
    swaps: swaps
      .split('\n')
      .slice(1)
      .map((line) => unescapeOctal(line.split(/\s+/)[0] ?? '')),
    btrfs,
    loops,
  };
}

/** A line of /proc/PID/mountinfo (proc(5)): optional fields end with a dash. */
function parseMount(line: string): Mount {
  const fields = line.split(' ');
  const dash = fields.indexOf('-');
  return {
    devno: fields[2] ?? '',
    mountPoint: unescapeOctal(fields[4] ?? ''),
    source: unescapeOctal(fields[dash + 2] ?? ''),
  };
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_match, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

async function direct(name: string, depth: number, system: System, roots: SystemRoots): Promise<DiskUser[]> {
  const device = `/dev/${name}`;
  const devno = (await readAttribute(join(blockFolder(roots, name), 'dev'))) ?? '';
  const users: DiskUser[] = [];
  for (const mount of system.mounts) {
    if (mount.devno !== devno && !(await namesDevice(mount.source, { device, devno }, roots))) continue;
    users.push({ device, kind: 'mount', detail: `mounted at ${mount.mountPoint}`, canStop: false, depth: depth + 1 });
  }
  const uuid = system.btrfs.get(name);
  if (uuid !== undefined) {
    const detail = `part of the mounted btrfs filesystem ${uuid}`;
    users.push({ device, kind: 'mount', detail, canStop: false, depth: depth + 1 });
  }
  for (const swap of system.swaps) {
    if (!(await namesDevice(swap, { device, devno }, roots))) continue;
    users.push({ device, kind: 'swap', detail: 'in use as swap', canStop: true, depth: depth + 1 });
  }
  const loop = system.loops.get(device);
  if (loop !== undefined) {
    users.push({ device, kind: 'other', detail: `attached to /dev/${loop}`, canStop: false, depth: depth + 1 });
  }
  return users;
}

/** btrfs has an anonymous device number in mountinfo, and swaps have only a path: both are compared by their node. */
async function namesDevice(
  source: string,
  wanted: { readonly device: string; readonly devno: string },
  roots: SystemRoots,
): Promise<boolean> {
  if (!source.startsWith('/')) return false;
  if (source === wanted.device) return true;
  const stats = await stat(source.replace(/^\/dev\//, `${roots.devRoot}/`)).catch(() => null);
  return stats?.isBlockDevice() === true && deviceNumber(stats.rdev) === wanted.devno;
}

async function holderOf(
  holder: string,
  below: { readonly diskName: string; readonly depth: number },
  roots: SystemRoots,
): Promise<DiskUser> {
  const folder = blockFolder(roots, holder);
  const device = `/dev/${holder}`;
  const disks = await wholeDisksBelow(holder, roots);
  const isWholly = disks.length === 1 && disks[0] === below.diskName;
  const others = disks.filter((disk) => disk !== below.diskName);
  const spans = others.length === 0 ? '' : `, also on ${others.map((disk) => `/dev/${disk}`).join(', ')}`;
  const { depth } = below;
  const level = await readAttribute(join(folder, 'md/level'));
  if (level !== null) return { device, kind: 'md', detail: `md array (${level})${spans}`, canStop: isWholly, depth };
  const dmName = await readAttribute(join(folder, 'dm/name'));
  const uuid = (await readAttribute(join(folder, 'dm/uuid'))) ?? '';
  if (dmName === null) return { device, kind: 'other', detail: `held by ${holder}${spans}`, canStop: false, depth };
  if (uuid.startsWith('LVM-')) {
    const group = await lvmVolumeGroup(uuid, roots);
    const foreign = group.disks.filter((disk) => disk !== below.diskName);
    const also = foreign.length === 0 ? '' : `, its volume group also on ${foreign.map((d) => `/dev/${d}`).join(', ')}`;
    const detail = `LVM volume ${dmName}${also}`;
    return { device, kind: 'lvm', detail, canStop: foreign.length === 0, depth, vgUuid: group.uuid };
  }
  if (uuid.startsWith('CRYPT-'))
    return { device, kind: 'crypt', detail: `open LUKS volume ${dmName}`, canStop: false, depth };
  if (uuid.startsWith('mpath-'))
    return { device, kind: 'dm', detail: `multipath device ${dmName}`, canStop: false, depth };
  return { device, kind: 'dm', detail: `device-mapper device ${dmName}${spans}`, canStop: false, depth };
}
