import { z } from 'zod';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';
import { wholeDisksBelow } from '../hardware/device-stack.ts';
import { kernelName, readNumber, realRoots } from '../hardware/sysfs.ts';
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
  const args = ['-J', '-v', '-T', path, '-o', 'SOURCE,FSTYPE,TARGET'];
  const { stdout } = await runCommand('findmnt', args, { signal, timeoutMs: 30_000 });
  const found = mountSchema.safeParse(parseJson(stdout)).data?.filesystems.at(-1);
  if (found === undefined) throw new ProvisionError('tool_failed', `findmnt does not say what ${path} lies on`);
  return { source: found.source, type: found.fstype, target: found.target };
}

/** Whole disks (`/dev/vda`) that a device of the running system lies on in the end; none for what is no block device. */
export async function disksBelow(device: string): Promise<string[]> {
  const name = await kernelName(device, realRoots);
  return name === null
    ? []
    : (await wholeDisksBelow(name, realRoots)).map((disk) => `/dev/${disk.replaceAll('!', '/')}`);
}

/** Whether a device is a plain partition of a disk: no LVM, LUKS, md or multipath. */
export async function isPlainPartition(device: string): Promise<boolean> {
  const name = await kernelName(device, realRoots);
  return name !== null && (await readNumber(`/sys/class/block/${name}/partition`, 0)) > 0;
}

/** The partitions of a disk as the running system knows them. @throws ProvisionError `tool_missing`, `tool_failed`. */
export async function readSystemDisk(path: string, signal: AbortSignal): Promise<SystemDisk> {
  const columns = 'NAME,PATH,TYPE,PARTTYPE,PARTUUID,PARTLABEL,UUID,LABEL,FSTYPE,MOUNTPOINT';
  const { stdout } = await runCommand('lsblk', ['-J', '-l', '-o', columns, path], { signal, timeoutMs: 30_000 });
  const devices = blockSchema.safeParse(parseJson(stdout)).data?.blockdevices ?? [];
  const partitions: SystemPartition[] = [];
  for (const device of devices.filter(({ type }) => type === 'part')) {
    const number = await readNumber(`/sys/class/block/${device.name}/partition`, 0);
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
