import { ProvisionError } from '../../../core/base/errors.ts';
import type { FilesystemFacts } from '../../disk/probe-filesystem.ts';
import { type MountLine, partitionOfSource, readMountTable } from '../../rootfs/mount-table.ts';
import { RootFiles } from '../../rootfs/root-files.ts';
import { type PartitionIdentity, partitionTypes } from '../../rootfs/types.ts';
import type { StepContext } from '../types.ts';
import { mountRoot } from './mount-root.ts';

/** A `/boot` that is a partition of its own. */
export interface SeparateBoot {
  readonly number: number;
  readonly device: string;
  readonly type: string;
}

export interface BootPlaces {
  readonly rootNumber: number;
  readonly rootType: string;
  readonly identities: readonly PartitionIdentity[];
  /** Partition nodes by partition number. */
  readonly devices: ReadonlyMap<number, string>;
}

/**
 * The image's separate `/boot` (provisioning.md, Image): the partition of type XBOOTLDR, else the one that the fstab of
 * its root (layer 0's, before the layers are there) mounts there. Never the EFI system partition, whose files are written without mounting it. Null: `/boot`
 * is a folder of the root.
 * @throws ProvisionError `tool_failed` when the root cannot be mounted.
 */
export async function findSeparateBoot(
  ctx: Pick<StepContext, 'log' | 'signal'>,
  places: BootPlaces,
  filesystems: ReadonlyMap<number, FilesystemFacts | null>,
): Promise<SeparateBoot | null> {
  const { identities, devices } = places;
  const typed = identities.find(({ typeGuid }) => typeGuid === partitionTypes.xbootldr);
  const partition = typed ?? (await partitionOfFstab(ctx, places));
  if (partition === null || partition.typeGuid === partitionTypes.esp) return null;
  const type = filesystems.get(partition.number)?.type;
  const device = devices.get(partition.number);
  return type === undefined || device === undefined ? null : { number: partition.number, device, type };
}

/**
 * Whether what was written below `/boot` is where the installed system looks for it, now that the layers' fstab is there.
 * @throws ProvisionError `image_not_provisionable` when it mounts another partition of the disk there.
 */
export function checkBootMount(
  ctx: StepContext,
  root: string,
  disk: Pick<BootPlaces, 'rootNumber' | 'identities'> & { readonly boot: SeparateBoot | null },
): void {
  const files = new RootFiles(root);
  const line = bootLine(files);
  if (line === null) return;
  const partition = partitionOfSource(line.source, disk.identities);
  const mounted = disk.boot?.number ?? disk.rootNumber;
  if (partition?.number === mounted) return;
  if (partition === null || partition.typeGuid === partitionTypes.esp) {
    const isHidden = disk.boot === null && files.list('/boot').length > 0;
    if (isHidden) ctx.warn(`/etc/fstab mounts ${line.source} on /boot, which hides what the image has below it`);
    return;
  }
  const why =
    partition.fsType === null
      ? 'it holds no filesystem that is known here'
      : `it needs the type XBOOTLDR (${partitionTypes.xbootldr}), or layer 0 an fstab that mounts it`;
  throw new ProvisionError(
    'image_not_provisionable',
    `/etc/fstab mounts partition ${partition.number} on /boot, but what is below it was written to partition ${mounted}: ${why}`,
    { facts: { source: line.source, partition: partition.number, written_partition: mounted } },
  );
}

/** The root is mounted for this alone: what is mounted for the layers has `/boot` in its place from the beginning. */
async function partitionOfFstab(
  ctx: Pick<StepContext, 'log' | 'signal'>,
  places: BootPlaces,
): Promise<PartitionIdentity | null> {
  const { rootNumber, rootType, identities, devices } = places;
  const rootDevice = devices.get(rootNumber);
  if (rootDevice === undefined) throw new ProvisionError('invariant', 'the root partition was lost');
  await using root = await mountRoot({
    rootDevice,
    rootType,
    boot: null,
    readOnly: true,
    log: ctx.log,
    signal: ctx.signal,
  });
  const line = bootLine(new RootFiles(root.path));
  const partition = line === null ? null : partitionOfSource(line.source, identities);
  return partition?.number === rootNumber ? null : partition;
}

/** `noauto` counts: what such a system has below `/boot` is on that partition all the same. */
function bootLine(files: RootFiles): MountLine | null {
  return readMountTable(files).findLast(({ point }) => point === '/boot') ?? null;
}
