import { ProvisionError } from '../../../core/base/errors.ts';
import { findRootPartition } from '../../disk/find-root-partition.ts';
import { partitionRange } from '../../disk/geometry.ts';
import { growRoot } from '../../disk/grow-ext4.ts';
import { planGrownTable } from '../../disk/plan-table.ts';
import type { FilesystemFacts } from '../../disk/probe-filesystem.ts';
import { probePartitions } from '../../disk/probe-partitions.ts';
import { registerPartitions } from '../../disk/register-partitions.ts';
import type { Gpt, GptPartition, GrownTable, OpenTarget } from '../../disk/types.ts';
import { findEmbeddedIdentifiers } from '../../rootfs/find-embedded-identifiers.ts';
import { partitionIdentity } from '../../rootfs/partition-identity.ts';
import { type IdentifierPlan, keepIdentifiers, planIdentifiers } from '../../rootfs/plan-identifiers.ts';
import { setFilesystemUuid } from '../../rootfs/set-filesystem-uuid.ts';
import { type PartitionIdentity, partitionTypes } from '../../rootfs/types.ts';
import type { InstallPlan } from '../install-plan.ts';
import type { StepContext, StepResult } from '../types.ts';
import { checkRootSize } from './check-target.ts';
import { findSeparateBoot, type SeparateBoot } from './separate-boot.ts';

/** Boot code of an MBR, before the disk signature (UEFI specification 2.10, section 5.2.3). */
const bootCodeBytes = 440;

export interface ResizeRootInput {
  readonly plan: InstallPlan;
  readonly target: OpenTarget;
  /** What was held back of layer 0. */
  readonly head: Buffer;
}

/** The partitions of the new system: known to the kernel, grown, with identifiers of their own. */
export interface ResizedDisk {
  readonly table: GrownTable;
  readonly rootNumber: number;
  readonly rootType: string;
  readonly devices: ReadonlyMap<number, string>;
  readonly identities: readonly PartitionIdentity[];
  readonly identifiers: IdentifierPlan;
  /** Device of the EFI system partition and of a separate `/boot`; null where there is none. */
  readonly espDevice: string | null;
  readonly biosBootDevice: string | null;
  readonly boot: SeparateBoot | null;
}

/**
 * Step 3: the grown table is computed, the partitions are made known to the kernel, every filesystem gets its new
 * UUID and the root grows to its partition.
 */
export async function resizeRoot(ctx: StepContext, input: ResizeRootInput): Promise<StepResult<ResizedDisk>> {
  const { plan, target, head } = input;
  const { gpt } = plan.inspected.disk;
  const filesystems = await probePartitions(gpt, (offsetBytes, lengthBytes) => target.read(offsetBytes, lengthBytes));
  const root = await findRoot(plan, filesystems);
  checkRootSize(plan.diskFacts, plan.inspected, root);
  const imageDevices = await registerPartitions(target, gpt, ctx);
  const identities = gpt.partitions.map((partition) =>
    partitionIdentity(partition, filesystems.get(partition.number) ?? null),
  );
  const device = (typeGuid: string): string | null => {
    const found = gpt.partitions.find((partition) => partition.typeGuid === typeGuid);
    return found === undefined ? null : (imageDevices.get(found.number) ?? null);
  };
  const espDevice = hasReadableEsp(ctx, gpt, filesystems) ? device(partitionTypes.esp) : null;
  const biosBootDevice = device(partitionTypes.biosBoot);
  const embedded = await findEmbeddedIdentifiers(
    { partitions: identities, diskGuid: gpt.diskGuid, head: withoutTable(head, gpt), biosBootDevice, espDevice },
    ctx,
  );
  for (const warning of embedded.warnings) ctx.warn(warning);
  const identifiers = keepIdentifiers(planIdentifiers(identities, gpt.diskGuid), embedded.found);
  const table = await planTable(ctx, input, { rootNumber: root.number, identifiers });
  const devices = await registerPartitions(target, table.gpt, ctx);
  const grown = await growFilesystems(ctx, { root, table, devices, identifiers });
  const places = { rootNumber: root.number, rootType: grown.type, identities, devices };
  const boot = await findSeparateBoot(ctx, places, filesystems);
  return {
    outcome: 'succeeded',
    message: grown.said,
    facts: { root_partition: root.number, root_bytes: grown.sizeBytes, how: grown.how },
    value: {
      table,
      rootNumber: root.number,
      rootType: grown.type,
      devices,
      identities,
      identifiers,
      espDevice,
      biosBootDevice,
      boot,
    },
  };
}

/** An ESP without a FAT filesystem is one that no firmware reads, and nothing is looked for on it. */
function hasReadableEsp(ctx: StepContext, gpt: Gpt, filesystems: ReadonlyMap<number, FilesystemFacts | null>): boolean {
  const esp = gpt.partitions.find(({ typeGuid }) => typeGuid === partitionTypes.esp);
  if (esp === undefined) return false;
  const type = filesystems.get(esp.number)?.type ?? null;
  if (type !== 'vfat') ctx.warn(`the EFI system partition holds ${type ?? 'no filesystem that is known'}, not FAT`);
  return type === 'vfat';
}

/** Boot code and the gap before the first partition, without the table, where the identifiers have their place. */
function withoutTable(head: Buffer, gpt: Gpt): Buffer {
  const copy = Buffer.from(head);
  return copy.fill(0, bootCodeBytes, gpt.entriesLba * gpt.sectorBytes + gpt.entryCount * gpt.entryBytes);
}

/** The table to commit, with the identifiers of the plan. */
export async function planTable(
  ctx: StepContext,
  input: ResizeRootInput,
  chosen: { readonly rootNumber: number; readonly identifiers: IdentifierPlan },
): Promise<GrownTable> {
  const { identifiers, rootNumber } = chosen;
  const partitions = new Map(identifiers.partitions.map(({ old, partUuid }) => [old.number, partUuid]));
  const guids = { disk: identifiers.diskGuid, partitions };
  const imageGpt = input.plan.inspected.disk.gpt;
  return await planGrownTable({ head: input.head, imageGpt, rootNumber, target: input.target, guids }, ctx);
}

async function findRoot(
  plan: InstallPlan,
  filesystems: ReadonlyMap<number, FilesystemFacts | null>,
): Promise<GptPartition> {
  const { image, disk } = plan.inspected;
  const { architecture } = image.platform;
  const probe = async (partition: GptPartition) => filesystems.get(partition.number) ?? null;
  return (await findRootPartition(disk.gpt, probe, { architecture })).partition;
}

async function growFilesystems(
  ctx: StepContext,
  disk: { root: GptPartition; table: GrownTable; devices: ReadonlyMap<number, string>; identifiers: IdentifierPlan },
) {
  const { root, table, devices, identifiers } = disk;
  for (const { old, fsUuid } of identifiers.partitions) {
    const device = devices.get(old.number);
    if (
      old.number === root.number ||
      device === undefined ||
      fsUuid === null ||
      old.fsType === null ||
      fsUuid === old.fsUuid
    )
      continue;
    await setFilesystemUuid({ device, fsType: old.fsType, fsUuid }, { signal: ctx.signal });
  }
  const partition = table.gpt.partitions.find(({ number }) => number === root.number);
  const device = devices.get(root.number);
  const change = identifiers.partitions.find(({ old }) => old.number === root.number);
  if (partition === undefined || device === undefined)
    throw new ProvisionError('invariant', 'the root partition was lost');
  const fsUuid = change?.fsUuid;
  const grown = await growRoot(
    {
      device,
      sizeBytes: partitionRange(table.gpt, partition).lengthBytes,
      canGrow: table.rootCanGrow,
      ...(fsUuid === undefined || fsUuid === null ? {} : { newUuid: () => fsUuid }),
    },
    ctx,
  );
  for (const warning of grown.warnings) ctx.warn(warning);
  if (!table.rootCanGrow) ctx.warn('the root partition cannot grow, because another partition follows it');
  return grown;
}
