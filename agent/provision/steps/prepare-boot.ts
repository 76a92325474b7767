import type { BootLayout } from '../../boot/installed-disk.ts';
import { bootFilesBytes, copyBootFiles, decideKexec, type KexecFiles, loadKexec } from '../../boot/kexec.ts';
import { createUefiEntry } from '../../boot/uefi-entry.ts';
import { type BootEvidence, validateBootPath } from '../../boot/validate-boot-path.ts';
import { partitionRange } from '../../disk/geometry.ts';
import type { BootPathEvidence } from '../../disk/verified-install.ts';
import { partitionTypes } from '../../rootfs/types.ts';
import type { StepContext } from '../types.ts';
import type { FinishInstallInput } from './finish-install.ts';

/** Where the kernel to jump into waits while the disk is unmounted: a tmpfs. */
const kexecDir = '/run/durantic/kexec';

/** The boot path of the new system, looked at while its root is mounted. */
export interface PreparedBoot {
  readonly evidence: BootPathEvidence;
  /** After the commit: the firmware's boot entry, the kernel for kexec; gives how the machine leaves. */
  complete(): Promise<'reboot' | 'kexec' | null>;
}

/**
 * Proves that the disk is going to boot, and copies what kexec needs while the root is still mounted.
 * @throws ProvisionError `boot_path_invalid`.
 */
export async function prepareBoot(ctx: StepContext, input: FinishInstallInput): Promise<PreparedBoot> {
  const { request, plan, disk, written } = input;
  const layout = layoutOf(input);
  const biosBoot = plan.inspected.disk.gpt.partitions.find(({ typeGuid }) => typeGuid === partitionTypes.biosBoot);
  const evidence = await validateBootPath(
    {
      ...layout,
      firmware: plan.firmware,
      head: written.head,
      biosBoot:
        biosBoot === undefined || disk.biosBootDevice === null
          ? null
          : { device: disk.biosBootDevice, startBytes: partitionRange(plan.inspected.disk.gpt, biosBoot).offsetBytes },
    },
    ctx,
  );
  for (const line of evidence.lines) ctx.log.info({ boot_path: line }, 'boot path checked');
  for (const warning of evidence.warnings) ctx.warn(warning);
  const kexecFiles = request.boot === 'kexec' ? await filesForKexec(ctx, layout, evidence) : null;
  return {
    evidence: { firmware: evidence.firmware, checked: evidence.lines },
    complete: async () => {
      await makeFirmwareEntry(ctx, input);
      if (request.boot === 'none') return null;
      if (kexecFiles !== null) await loadKexec(kexecFiles, { signal: ctx.signal });
      kexecFiles?.[Symbol.dispose]();
      return kexecFiles === null ? 'reboot' : 'kexec';
    },
  };
}

function layoutOf({ disk, identifiers, root, plan }: FinishInstallInput): BootLayout {
  const esp = plan.inspected.disk.gpt.partitions.find(({ typeGuid }) => typeGuid === partitionTypes.esp);
  return {
    root: root.path,
    partitions: disk.identities.map((identity) => {
      const change = identifiers.partitions.find(({ old }) => old.number === identity.number);
      return change === undefined ? identity : { ...identity, partUuid: change.partUuid, fsUuid: change.fsUuid };
    }),
    rootNumber: disk.rootNumber,
    bootNumber: disk.boot?.number ?? null,
    espNumber: esp?.number ?? null,
    espDevice: disk.espDevice,
  };
}

/** kexec is a decision with a stated reason; null means that the machine reboots instead. */
async function filesForKexec(ctx: StepContext, layout: BootLayout, evidence: BootEvidence): Promise<KexecFiles | null> {
  const { entry } = evidence;
  const filesBytes = await bootFilesBytes(entry, layout, ctx);
  const decision = decideKexec({ requested: true, entry, filesBytes });
  if (!decision.useKexec) {
    ctx.warn(`the machine reboots instead of kexec: ${decision.reason}`);
    return null;
  }
  return await copyBootFiles(entry, { layout, ramDir: kexecDir }, ctx);
}

async function makeFirmwareEntry(
  ctx: StepContext,
  { plan, disk, identifiers, written, target }: FinishInstallInput,
): Promise<void> {
  const esp = plan.inspected.disk.gpt.partitions.find(({ typeGuid }) => typeGuid === partitionTypes.esp);
  if (plan.firmware !== 'uefi' || esp === undefined || disk.espDevice === null) return;
  const change = identifiers.partitions.find(({ old }) => old.number === esp.number);
  const result = await createUefiEntry(
    {
      disk: target.path,
      espNumber: esp.number,
      espPartUuid: change?.partUuid ?? esp.uniqueGuid,
      replacedPartUuids: written.replacedPartUuids,
      name: plan.inspected.image.reference,
    },
    ctx,
  );
  for (const warning of result.warnings) ctx.warn(warning);
  ctx.log.info({ boot_entry: result.bootNumber, removed: result.removed }, 'firmware boot entry');
}
