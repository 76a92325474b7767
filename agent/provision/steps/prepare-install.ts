import { ProvisionError } from '../../../core/base/errors.ts';
import { formatBytes } from '../../../core/base/format-bytes.ts';
import type { ImageSource } from '../../../core/oci/types.ts';
import { assertKernelArg } from '../../boot/append-kernel-args.ts';
import { parseAgentConfig } from '../../config/read-agent-config.ts';
import { findRootPartition } from '../../disk/find-root-partition.ts';
import type { GptPartition } from '../../disk/types.ts';
import { describeDisk } from '../../hardware/resolve-disk.ts';
import { type LocatedBundle, locateBundle } from '../../rootfs/locate-bundle.ts';
import { assertCloudDocuments } from '../../rootfs/parse-cloud-documents.ts';
import { detectFirmware } from '../detect-firmware.ts';
import type { InstallPlan } from '../install-plan.ts';
import { maxWindowBytes } from '../memory.ts';
import { openImageSource } from '../open-image-source.ts';
import type { Firmware, ProvisionRequest, StepContext, StepResult } from '../types.ts';
import { checkRootSize, checkTarget } from './check-target.ts';
import { checkTools } from './check-tools.ts';
import { type FoundTarget, findTarget } from './find-target.ts';
import { type InspectedImage, inspectImage } from './inspect-image.ts';
import { warnOfOldKernel } from './warn-of-old-kernel.ts';

export interface PrepareInstallInput {
  readonly request: ProvisionRequest;
  /** Takes what stays open for the later steps. */
  readonly opened: AsyncDisposableStack;
}

/** What the first step gives to the others. */
export interface PreparedInstall {
  readonly plan: InstallPlan;
  readonly source: ImageSource;
  /** Null when no agent is injected. */
  readonly bundle: LocatedBundle | null;
}

/**
 * Step 1: everything that can be told before the disk changes (provisioning.md, "Preflight"). Nothing is written;
 * whatever is wrong ends the installation here, with the disk untouched.
 */
export async function prepareInstall(
  ctx: StepContext,
  input: PrepareInstallInput,
): Promise<StepResult<PreparedInstall>> {
  const { request, opened } = input;
  assertCloudDocuments(request);
  for (const arg of request.appendKargs) assertKernelArg(arg);
  if (request.agentConfig !== null) parseAgentConfig(request.agentConfig, 'agent.yaml');
  await checkTools(bootTools(request));
  warnOfOldKernel(ctx, request);
  const target = await findTarget(ctx, request);
  if (target.isFile && request.boot !== 'none') {
    throw new ProvisionError('usage', `${target.facts.path} is a file, this machine cannot ${request.boot} into it`);
  }
  const bundle = request.injectAgent
    ? opened.use(await locateBundle({ bundle: request.agentBundle, signal: ctx.signal }))
    : null;
  const source = await openImageSource(request.image, { ...request, signal: ctx.signal, log: ctx.log });
  opened.defer(() => source.close());
  const windowLimitBytes = await maxWindowBytes();
  const inspected = await inspectImage(source, {
    platform: request.platform,
    maxWindowBytes: windowLimitBytes,
    signal: ctx.signal,
  });
  for (const note of inspected.image.notes) ctx.warn(note);
  const firmware: Firmware = target.facts.kind === 'loop' ? 'either' : detectFirmware();
  await checkTarget(target, inspected, firmware);
  const root = await rootByTable(inspected);
  if (root !== null) checkRootSize(target.facts, inspected, root);
  const plan = {
    inspected,
    diskFacts: target.facts,
    isFile: target.isFile,
    firmware,
    root,
    bundleDir: bundle?.dir ?? null,
    maxWindowBytes: windowLimitBytes,
  };
  const lines = describePlan(request, target, plan);
  return {
    outcome: 'succeeded',
    message: `${inspected.image.reference}, ${inspected.image.layers.length} layers, ${formatBytes(inspected.downloadBytes)} to download`,
    facts: { manifest_digest: inspected.image.manifestDigest, download_bytes: inspected.downloadBytes, plan: lines },
    value: { plan: { ...plan, lines }, source, bundle },
  };
}

function bootTools(request: ProvisionRequest): Record<string, string> {
  return request.boot === 'kexec' ? { kexec: 'kexec-tools' } : {};
}

/** The root as the partition table alone tells it; null where the filesystems will have to be looked at. */
async function rootByTable(inspected: InspectedImage): Promise<GptPartition | null> {
  const { gpt } = inspected.disk;
  const architecture = inspected.image.platform.architecture;
  try {
    return (await findRootPartition(gpt, async () => null, { architecture })).partition;
  } catch (error) {
    if (error instanceof ProvisionError && error.code === 'root_partition_missing') return null;
    throw error;
  }
}

function describePlan(
  request: ProvisionRequest,
  target: FoundTarget,
  plan: { inspected: InspectedImage; firmware: Firmware; root: GptPartition | null; bundleDir: string | null },
): string[] {
  const { inspected, root } = plan;
  const { gpt, diskBytes } = inspected.disk;
  const rootIsLast = root !== null && gpt.partitions.every((other) => other.firstLba <= root.firstLba);
  const stopped = target.facts.users.filter((user) => user.canStop);
  return [
    `Image       ${inspected.image.reference}`,
    `Digest      ${inspected.image.manifestDigest}`,
    `Download    ${formatBytes(inspected.downloadBytes)} in ${inspected.image.layers.length} layers`,
    `Unpacked    ${inspected.unpackedBytes === null ? 'not told by the image; checked while it is streamed' : formatBytes(inspected.unpackedBytes)}`,
    `Decoder     ${formatBytes(inspected.windowBytes)} window`,
    `Disk        ${describeDisk(target.facts)}${target.isFile ? ', a plain file' : ''}, ${target.facts.sectorBytes}-byte sectors; everything on it is erased`,
    ...stopped.map((user) => `Stopped     ${user.device}: ${user.detail}`),
    `Raw disk    ${formatBytes(diskBytes)}, ${gpt.partitions.length} partitions`,
    root === null
      ? 'Root        told by its filesystem only; looked for when layer 0 is on the disk, which is then partial'
      : `Root        partition ${root.number}${root.name === '' ? '' : ` (${root.name})`}, ${rootIsLast ? 'grows to the end of the disk' : 'cannot grow, another partition follows it'}`,
    `Firmware    ${{ bios: 'BIOS', uefi: 'UEFI', either: 'BIOS or UEFI' }[plan.firmware]}`,
    `Cloud-init  ${request.userData === null ? 'no user-data' : `user-data of ${Buffer.byteLength(request.userData)} bytes`}, instance ${request.provisionUuid}`,
    `Agent       ${plan.bundleDir === null ? 'not injected' : `injected from ${plan.bundleDir}`}`,
    ...request.appendKargs.map((karg) => `Kernel      ${karg}`),
    `Then        ${{ none: 'nothing', kexec: 'kexec into the installed system', reboot: 'reboot' }[request.boot]}`,
  ];
}
