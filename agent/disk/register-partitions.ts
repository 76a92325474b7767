import { stat } from 'node:fs/promises';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import { readDisk } from '../hardware/read-disk.ts';
import { blockFolder, deviceNumber, readAttribute, realRoots } from '../hardware/sysfs.ts';
import { native } from '../native/load-native.ts';
import { partitionRange } from './geometry.ts';
import { retryBusy } from './retry-busy.ts';
import type { ByteRange, DiskContext, Gpt, OpenTarget, PartitionFacts } from './types.ts';

const blockDeviceMode = 0o060600;

/**
 * Tells the kernel the partitions of a table that is not on the disk (BLKPG), so that they can be formatted and
 * mounted, after everything written so far was flushed: a partition's page cache is not the disk's. One that the kernel
 * knows already, with the same extent, is used as it is; with another extent it is replaced.
 * @returns device paths by partition number, `/dev/sda3`, `/dev/nvme0n1p3`; the nodes exist.
 * @throws ProvisionError `disk_busy` naming who holds the disk or an old partition; `device_io` for other failures.
 */
export async function registerPartitions(
  target: OpenTarget,
  gpt: Gpt,
  ctx: DiskContext,
): Promise<ReadonlyMap<number, string>> {
  await target.flush();
  await target.releaseExclusive();
  const known = new Map((await readDisk(target.path)).partitions.map((partition) => [partition.number, partition]));
  const paths = new Map<number, string>();
  for (const partition of gpt.partitions) {
    const { number } = partition;
    const range = partitionRange(gpt, partition);
    const what = `registering partition ${number} of ${target.path}`;
    if (!isSame(known.get(number), range)) {
      await retryBusy(
        () => replace(target, { number, range, isKnown: known.has(number) }),
        { path: target.path, what },
        ctx,
      );
    }
    const { path, madeNode } = await ensureNode(target.path, number);
    target.registered.set(number, madeNode);
    paths.set(number, path);
    ctx.log.debug({ device: path, ...range }, 'partition registered');
  }
  return paths;
}

/** `/dev/sda` and 3 give `/dev/sda3`; a disk whose name ends in a digit gets a `p` between (disk_name() in the kernel). */
export function partitionPath(diskPath: string, number: number): string {
  return /\d$/.test(diskPath) ? `${diskPath}p${number}` : `${diskPath}${number}`;
}

function isSame(known: PartitionFacts | undefined, range: ByteRange): boolean {
  return known?.startBytes === range.offsetBytes && known.sizeBytes === range.lengthBytes;
}

function replace(
  target: OpenTarget,
  partition: { readonly number: number; readonly range: ByteRange; readonly isKnown: boolean },
): void {
  const { number, range } = partition;
  const { offsetBytes: startBytes, lengthBytes } = range;
  try {
    if (partition.isKnown) deleteKnown(target.fd, number);
    native.blkpgAdd(target.fd, { number, startBytes, lengthBytes });
  } catch (cause) {
    if (errnoOf(cause) === 'EBUSY') throw cause;
    throw new ProvisionError('device_io', `the kernel did not take partition ${number} of ${target.path}`, {
      cause,
      facts: { device: target.path, partition: number, offset_bytes: startBytes, length_bytes: lengthBytes },
    });
  }
}

function deleteKnown(fd: number, number: number): void {
  try {
    native.blkpgDelete(fd, number);
  } catch (error) {
    // Deleted by the attempt before, whose adding was what was busy.
    if (errnoOf(error) !== 'ENXIO') throw error;
  }
}

/** devtmpfs makes the node before BLKPG returns; a plain /dev (containers) has nobody who would. */
async function ensureNode(diskPath: string, number: number): Promise<{ path: string; madeNode: string | null }> {
  const path = partitionPath(diskPath, number);
  const name = path.slice('/dev/'.length).replaceAll('/', '!');
  const devno = await readAttribute(`${blockFolder(realRoots, name)}/dev`);
  if (devno === null) {
    throw new ProvisionError('kernel_feature_missing', `the kernel took partition ${number} but does not list ${name}`);
  }
  const node = await stat(path).catch(() => null);
  if (node?.isBlockDevice() && deviceNumber(node.rdev) === devno) return { path, madeNode: null };
  if (node !== null) {
    throw new ProvisionError('disk_busy', `${path} exists and is not partition ${number} of ${diskPath}`, {
      facts: { path },
    });
  }
  const [major = 0, minor = 0] = devno.split(':').map(Number);
  native.mknod(path, blockDeviceMode, major, minor);
  return { path, madeNode: path };
}
