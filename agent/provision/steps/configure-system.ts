import { appendKernelArgs } from '../../boot/append-kernel-args.ts';
import { writeCloudInitSeed } from '../../rootfs/cloud-init-seed.ts';
import { findEmbeddedIdentifiers } from '../../rootfs/find-embedded-identifiers.ts';
import { type IdentifierPlan, keepIdentifiers } from '../../rootfs/plan-identifiers.ts';
import { rewriteIdentifiers } from '../../rootfs/rewrite-identifiers.ts';
import { scrubIdentity } from '../../rootfs/scrub-identity.ts';
import type { ProvisionRequest, StepContext, StepResult } from '../types.ts';
import type { ResizedDisk } from './resize-root.ts';

export interface ConfigureSystemInput {
  readonly request: ProvisionRequest;
  readonly disk: ResizedDisk;
  /** Where the new root is mounted. */
  readonly root: string;
}

/**
 * Step 5: what makes the copy of an image a machine of its own, i.e. identity taken away, identifiers rewritten, kernel
 * parameters and the cloud-init seed. Gives the identifiers that the disk ends with: those that an initramfs of the
 * layers holds are kept.
 */
export async function configureSystem(
  ctx: StepContext,
  input: ConfigureSystemInput,
): Promise<StepResult<IdentifierPlan>> {
  const { request, disk, root } = input;
  const { espDevice } = disk;
  const scrubbed = await scrubIdentity({ root, espDevice }, ctx);
  const embedded = await findEmbeddedIdentifiers(
    { partitions: disk.identities, diskGuid: disk.identifiers.oldDiskGuid, root },
    ctx,
  );
  const identifiers = keepIdentifiers(disk.identifiers, embedded.found);
  const rewritten = await rewriteIdentifiers({ root, espDevice, plan: identifiers }, ctx);
  const kernel = await appendKernelArgs({ root, espDevice, args: request.appendKargs }, ctx);
  const seed = writeCloudInitSeed({
    root,
    provisionUuid: request.provisionUuid,
    hostname: request.hostname,
    userData: request.userData,
    metaData: request.metaData,
    vendorData: request.vendorData,
    networkConfig: request.networkConfig,
    link: request.link,
  });
  const warnings = [scrubbed, embedded, rewritten, kernel, seed].flatMap((report) => report.warnings);
  for (const warning of warnings) ctx.warn(warning);
  return {
    outcome: 'succeeded',
    message:
      seed.cloudInit === 'present'
        ? 'cloud-init seed written'
        : 'cloud-init seed written, but the image has no cloud-init',
    facts: { scrubbed: scrubbed.scrubbed, rewritten: rewritten.changed, cloud_init: seed.cloudInit },
    value: identifiers,
  };
}
