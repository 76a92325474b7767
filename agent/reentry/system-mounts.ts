import { join } from 'node:path';
import { z } from 'zod';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';
import { wholeDisksBelow } from '../hardware/device-stack.ts';
import { blockFolder, kernelName, readNumber, realRoots, type SystemRoots } from '../hardware/sysfs.ts';
import type { PartitionIdentity } from '../rootfs/types.ts';

/** The file system that holds a path of the running system. */
export interface MountedAt {
  /** `/dev/vda3`, or what else it is mounted from. */
  readonly source: string;
  readonly type: string;
  /** Its mount point. */
  readonly target: string;
}

/** A partition of the running system's disk. */
export interface SystemPartition {
  readonly identity: PartitionIdentity;
  /** `/dev/vda2` */
  readonly device: string;
  /** Where it is mounted, or null. */
  readonly mountPoint: string | null;
}

export interface SystemDisk {
  /** `/dev/vda` */
  readonly path: string;
  readonly partitions: readonly SystemPartition[];
}

const mountSchema = z.object({
  filesystems: z.array(z.object({ source: z.string(), fstype: z.string(), target: z.string() })).min(1),
});

const text = z.string().nullish();
const blockSchema = z.object({
  blockdevices: z.array(
    z.object({
      name: z.string(),
      path: z.string(),
      type: text,
      parttype: text,
      partuuid: text,
      partlabel: text,
      uuid: text,
      label: text,
      fstype: text,
      mountpoint: text,
    }),
  ),
});

/** @throws ProvisionError `tool_missing`, `tool_failed`. */
export async function mountOf(path: string, signal: AbortSignal): Promise<MountedAt> {
  const found = await findMount(['-T', path], signal);
  if (found === null) throw new ProvisionError('tool_failed', `findmnt does not say what ${path} lies on`);
  return found;
}

/** What is mounted on exactly this folder; null: nothing. @throws ProvisionError `tool_missing`, `tool_failed`. */
export async function mountOn(folder: string, signal: AbortSignal): Promise<MountedAt | null> {
  return await findMount(['-M', folder], signal);
}

async function findMount(which: readonly string[], signal: AbortSignal): Promise<MountedAt | null> {
  const args = ['-J', '-v', ...which, '-o', 'SOURCE,FSTYPE,TARGET'];
  // 1: there is none.
  const { stdout } = await runCommand('findmnt', args, { signal, timeoutMs: 30_000, okExitCodes: [0, 1] });
  const found = mountSchema.safeParse(parseJson(stdout)).data?.filesystems.at(-1);
  return found === undefined ? null : { source: found.source, type: found.fstype, target: found.target };
}

/** Whole disks (`/dev/vda`) that a device of the running system lies on in the end; none for what is no block device. */
export async function disksBelow(device: string, roots: SystemRoots = realRoots): Promise<string[]> {
  const name = await kernelName(device, roots);
  return name === null ? [] : (await wholeDisksBelow(name, roots)).map((disk) => `/dev/${disk.replaceAll('!', '/')}`);
}

/** Whether a device is a plain partition of a disk: no LVM, LUKS, md or multipath. */
export async function isPlainPartition(device: string): Promise<boolean> {
  const name = await kernelName(device, realRoots);
  return name !== null && (await readNumber(`/sys/class/block/${name}/partition`, 0)) > 0;
}

/** The partitions of a disk as the running system knows them. @throws ProvisionError `tool_missing`, `tool_failed`. */
export async function readSystemDisk(
  path: string,
  signal: AbortSignal,
  roots: SystemRoots = realRoots,
): Promise<SystemDisk> {
  const columns = 'NAME,PATH,TYPE,PARTTYPE,PARTUUID,PARTLABEL,UUID,LABEL,FSTYPE,MOUNTPOINT';
  const { stdout } = await runCommand('lsblk', ['-J', '-l', '-o', columns, path], { signal, timeoutMs: 30_000 });
  const devices = blockSchema.safeParse(parseJson(stdout)).data?.blockdevices ?? [];
  const partitions: SystemPartition[] = [];
  for (const device of devices.filter(({ type }) => type === 'part')) {
    const number = await readNumber(join(blockFolder(roots, device.name), 'partition'), 0);
    if (number === 0) continue;
    partitions.push({
      device: device.path,
      mountPoint: device.mountpoint ?? null,
      identity: {
        number,
        typeGuid: (device.parttype ?? '').toLowerCase(),
        partUuid: (device.partuuid ?? '').toLowerCase(),
        partLabel: device.partlabel ?? null,
        fsUuid: device.uuid ?? null,
        fsLabel: device.label ?? null,
        fsType: device.fstype ?? null,
      },
    });
  }
  return { path, partitions };
}

function parseJson(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}
