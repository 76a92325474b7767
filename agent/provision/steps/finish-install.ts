import { commitTable } from '../../disk/commit-table.ts';
import type { LayerProof } from '../../disk/layer-proof.ts';
import type { GrownTable, OpenTarget } from '../../disk/types.ts';
import { verifyInstall } from '../../disk/verified-install.ts';
import { requestAutorelabel } from '../../rootfs/autorelabel.ts';
import { changedIdentifiers, type IdentifierPlan } from '../../rootfs/plan-identifiers.ts';
import { setFilesystemUuid } from '../../rootfs/set-filesystem-uuid.ts';
import type { InstallPlan } from '../install-plan.ts';
import type { ProvisionRequest, StepContext, StepResult } from '../types.ts';
import { flushPartition } from './flush-filesystem.ts';
import type { MountedRoot, MountRootOptions } from './mount-root.ts';
import { prepareBoot } from './prepare-boot.ts';
import { compareFiles, noteFiles } from './read-back-files.ts';
import { planTable, type ResizedDisk } from './resize-root.ts';
import type { WrittenDisk } from './stream-bootloader.ts';

export interface FinishInstallInput {
  readonly request: ProvisionRequest;
  readonly plan: InstallPlan;
  readonly target: OpenTarget;
  readonly disk: ResizedDisk;
  /** The identifiers that the disk ends with. */
  readonly identifiers: IdentifierPlan;
  readonly root: MountedRoot;
  /** How the root was mounted. */
  readonly mount: MountRootOptions;
  readonly written: WrittenDisk;
  readonly proofs: readonly LayerProof[];
}

export interface FinishedInstall {
  /** How the machine leaves for the installed system when everything is closed; null for `--boot none`. */
  readonly leaveBy: 'reboot' | 'kexec' | null;
}

/** Share of the step that the flush takes; commit and boot entry are the rest. */
const flushShare = 0.8;

/**
 * Step 7: everything is flushed and unmounted, the boot path validated, and only then the head is written, LBA 0 last.
 */
export async function finishInstall(ctx: StepContext, input: FinishInstallInput): Promise<StepResult<FinishedInstall>> {
  const { plan, target, disk, root, written } = input;
  // After the last file was written: ours carry no labels either.
  const relabel = requestAutorelabel(root.path);
  ctx.log.info({ requested: relabel.isRequested }, relabel.reason);
  const boot = await prepareBoot(ctx, input);
  using notes = input.request.readBack ? await noteFiles(ctx, root.path) : null;
  await root.flush();
  ctx.progress({ fraction: flushShare, message: 'everything is on the medium' });
  await root.unmount();
  if (notes !== null) await compareFiles(ctx, notes, { mount: input.mount, disk: target.path });
  const table = await applyIdentifiers(ctx, input);
  for (const device of disk.devices.values()) await flushPartition(device);
  const proof = await verifyInstall({
    target,
    table,
    layers: plan.inspected.image.layers,
    proofs: [written.proof, ...input.proofs],
    bootPath: boot.evidence,
  });
  await commitTable(target, table, { log: ctx.log, signal: ctx.signal, proof });
  ctx.setDiskState('complete');
  const leaveBy = await boot.complete();
  return {
    outcome: 'succeeded',
    message: `${plan.diskFacts.path} boots by ${boot.evidence.firmware.map((one) => one.toUpperCase()).join(' and ')}`,
    facts: { disk: plan.diskFacts.path, root_partition: disk.rootNumber },
    value: { leaveBy },
  };
}

/**
 * Sets back what an initramfs of the layers turned out to need: file system UUIDs now that nothing is mounted, GUIDs in
 * the table, which is not on the disk yet.
 */
async function applyIdentifiers(ctx: StepContext, input: FinishInstallInput): Promise<GrownTable> {
  const { disk, identifiers, plan, target, written } = input;
  const changed = changedIdentifiers(disk.identifiers, identifiers);
  for (const { number, fsType, fsUuid } of changed.fsUuids) {
    const device = disk.devices.get(number);
    if (device !== undefined) await setFilesystemUuid({ device, fsType, fsUuid }, { signal: ctx.signal });
  }
  if (changed.diskGuid === null && changed.partUuids.length === 0) return disk.table;
  return await planTable(ctx, { plan, target, head: written.head }, { rootNumber: disk.rootNumber, identifiers });
}
