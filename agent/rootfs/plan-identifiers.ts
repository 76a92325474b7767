import { randomBytes, randomUUID } from 'node:crypto';
import type { EmbeddedIdentifier } from './identifier-needles.ts';
import type { PartitionIdentity } from './types.ts';

/** A partition's identifiers before and after. Equal values mean that one is kept. */
export interface PartitionChange {
  readonly old: PartitionIdentity;
  readonly partUuid: string;
  /** New file system UUID in the form blkid prints; null where the file system has none. */
  readonly fsUuid: string | null;
}

/** Which identifiers the installed disk gets. */
export interface IdentifierPlan {
  readonly oldDiskGuid: string;
  readonly diskGuid: string;
  readonly partitions: readonly PartitionChange[];
}

/** File systems whose UUID we have a way to change: tune2fs, xfs_admin, swaplabel, the serial in a FAT boot sector. */
const renewable = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'swap', 'vfat']);

/**
 * New identifiers for every partition of an image (invariant 7). The order in which an installation uses this:
 *
 * 1. `partition_resize`, layer 0 is on the disk: `planIdentifiers`, then `findEmbeddedIdentifiers` in the BIOS boot
 *    partition, on the ESP and in layer 0's own `/boot`, then `keepIdentifiers`. The GPT and the file systems get
 *    the plan's values.
 * 2. `layer_extraction` has ended: `findEmbeddedIdentifiers` in `/boot` once more, for the initramfs archives of the
 *    layers, then `keepIdentifiers`. What changed against the first plan (`changedIdentifiers`) is set back: GUIDs in
 *    the table that is still in memory, file system UUIDs with `setFilesystemUuid` after the unmount. This is
 *    rare: images of `durantic image build` and distributions' generic initramfs archives hold none.
 * 3. `rewriteIdentifiers` with the final plan, while the root is still mounted.
 */
export function planIdentifiers(partitions: readonly PartitionIdentity[], diskGuid: string): IdentifierPlan {
  return {
    oldDiskGuid: diskGuid,
    diskGuid: randomUUID(),
    partitions: partitions.map((old) => ({ old, partUuid: randomUUID(), fsUuid: newFsUuid(old) })),
  };
}

/** The plan with every identifier that was found in something we do not edit set back to the image's. */
export function keepIdentifiers(plan: IdentifierPlan, found: readonly EmbeddedIdentifier[]): IdentifierPlan {
  const kept = new Set(found.filter((one) => one.kind !== 'label').map((one) => one.value.toLowerCase()));
  const isKept = (value: string | null): boolean => value !== null && kept.has(value.toLowerCase());
  return {
    oldDiskGuid: plan.oldDiskGuid,
    diskGuid: isKept(plan.oldDiskGuid) ? plan.oldDiskGuid : plan.diskGuid,
    partitions: plan.partitions.map((change) => ({
      old: change.old,
      partUuid: isKept(change.old.partUuid) ? change.old.partUuid : change.partUuid,
      fsUuid: isKept(change.old.fsUuid) ? change.old.fsUuid : change.fsUuid,
    })),
  };
}

/** What has to be set again on the disk when `after` replaces a plan `before` that was already applied. */
export function changedIdentifiers(
  before: IdentifierPlan,
  after: IdentifierPlan,
): {
  readonly diskGuid: string | null;
  readonly partUuids: readonly { number: number; partUuid: string }[];
  readonly fsUuids: readonly { number: number; fsType: string; fsUuid: string }[];
} {
  const partUuids: { number: number; partUuid: string }[] = [];
  const fsUuids: { number: number; fsType: string; fsUuid: string }[] = [];
  for (const change of after.partitions) {
    const earlier = before.partitions.find(({ old }) => old.number === change.old.number);
    const { number, fsType } = change.old;
    if (earlier?.partUuid !== change.partUuid) partUuids.push({ number, partUuid: change.partUuid });
    if (change.fsUuid !== null && fsType !== null && earlier?.fsUuid !== change.fsUuid) {
      fsUuids.push({ number, fsType, fsUuid: change.fsUuid });
    }
  }
  return { diskGuid: before.diskGuid === after.diskGuid ? null : after.diskGuid, partUuids, fsUuids };
}

function newFsUuid(old: PartitionIdentity): string | null {
  if (old.fsUuid === null || old.fsType === null || !renewable.has(old.fsType)) return old.fsUuid;
  if (old.fsType !== 'vfat') return randomUUID();
  return randomBytes(4)
    .toString('hex')
    .toUpperCase()
    .replace(/^(.{4})/, '$1-');
}
