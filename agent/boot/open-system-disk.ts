import { open } from 'node:fs/promises';
import { ProvisionError } from '../../core/base/errors.ts';
import { detectGpt } from '../disk/gpt.ts';
import { probePartitions } from '../disk/probe-partitions.ts';
import type { DiskFacts, GptPartition, ReadBytes } from '../disk/types.ts';
import { mountRoot } from '../provision/steps/mount-root.ts';
import { findSeparateBoot } from '../provision/steps/separate-boot.ts';
import { partitionIdentity } from '../rootfs/partition-identity.ts';
import { partitionTypes, type RootfsContext } from '../rootfs/types.ts';
import type { BootLayout } from './installed-disk.ts';

/** The disk of an installed system, its root mounted read-only. */
export interface SystemDisk extends AsyncDisposable {
  readonly layout: BootLayout;
  /** Lower-case GUID of the EFI system partition; null where there is none. */
  readonly espPartUuid: string | null;
}

const headBytes = 1024 * 1024;

/**
 * Opens the disk of an installed system as its boot loader would see it. Its journal is replayed by the mount: a kernel
 * that was written right before a power cut must be the one that is found.
 * @throws ProvisionError `boot_path_invalid` for a disk without GPT or with a root that is not among its partitions;
 * `tool_failed` when it cannot be mounted.
 */
export async function openSystemDisk(
  place: { readonly disk: DiskFacts; readonly rootNumber: number | null },
  ctx: RootfsContext,
): Promise<SystemDisk> {
  const { disk, rootNumber } = place;
  const { partitions, filesystems } = await readPartitions(disk);
  const device = (partition: GptPartition | undefined): string | null => {
    const known = disk.partitions.find(({ number }) => number === partition?.number);
    return known === undefined ? null : `/dev/${known.name.replaceAll('!', '/')}`;
  };
  const root = partitions.find(({ number }) => number === rootNumber);
  const [rootDevice, rootType] = [device(root), filesystems.get(root?.number ?? 0)?.type];
  if (root === undefined || rootDevice === null || rootType === undefined) {
    throw new ProvisionError(
      'boot_path_invalid',
      `the root file system on ${disk.path} is in no partition of its table`,
    );
  }
  const esp = partitions.find(({ typeGuid }) => typeGuid === partitionTypes.esp);
  const identities = partitions.map((each) => partitionIdentity(each, filesystems.get(each.number) ?? null));
  const devices = new Map<number, string>();
  for (const partition of partitions) {
    const node = device(partition);
    if (node !== null) devices.set(partition.number, node);
  }
  const boot = await findSeparateBoot(ctx, { rootNumber: root.number, rootType, identities, devices }, filesystems);
  const mounted = await mountRoot({
    ...{ rootDevice, rootType, boot, readOnly: true, log: ctx.log, signal: ctx.signal },
  });
  return {
    layout: {
      root: mounted.path,
      partitions: identities,
      rootNumber: root.number,
      bootNumber: boot?.number ?? null,
      espNumber: esp?.number ?? null,
      espDevice: device(esp),
    },
    espPartUuid: esp?.uniqueGuid ?? null,
    [Symbol.asyncDispose]: async () => await mounted.unmount(),
  };
}

async function readPartitions(disk: DiskFacts) {
  await using handle = await open(disk.path, 'r');
  const read: ReadBytes = async (offsetBytes, lengthBytes) => {
    const buffer = Buffer.alloc(lengthBytes);
    const { bytesRead } = await handle.read(buffer, 0, lengthBytes, offsetBytes);
    return buffer.subarray(0, bytesRead);
  };
  const gpt = tableOf(await read(0, Math.min(headBytes, disk.sizeBytes)), disk.path);
  return { partitions: gpt.partitions, filesystems: await probePartitions(gpt, read) };
}

function tableOf(head: Buffer, path: string) {
  try {
    return detectGpt(head);
  } catch (cause) {
    throw new ProvisionError('boot_path_invalid', `${path} has no GUID partition table`, { cause });
  }
}
