import type { ErrorFacts } from '../../core/base/errors.ts';
import type { Logger } from '../../core/base/logger.ts';
import type { InstallPlan } from './install-plan.ts';
import type { RunStep } from './run-provision.ts';
import { configureSystem } from './steps/configure-system.ts';
import { extractLayers } from './steps/extract-layers.ts';
import { finishInstall } from './steps/finish-install.ts';
import { injectAgentStep } from './steps/inject-agent-step.ts';
import { prepareInstall } from './steps/prepare-install.ts';
import { resizeRoot } from './steps/resize-root.ts';
import { streamBootloader } from './steps/stream-bootloader.ts';
import type { ProvisionRequest } from './types.ts';

export interface PlanContext {
  readonly request: ProvisionRequest;
  readonly log: Logger;
  readonly runStep: RunStep;
  /** Shown the plan before the first write; `stop` ends the run there. */
  readonly onPlan: (plan: InstallPlan) => Promise<'go' | 'stop'>;
}

export interface PlanOutcome {
  readonly message: string;
  readonly facts?: ErrorFacts;
  /** The installation; null where nothing was changed. */
  readonly installed: InstalledSystem | null;
}

/** A disk with a complete system, everything closed. */
export interface InstalledSystem {
  readonly disk: string;
  readonly rootNumber: number;
  /** How the machine leaves for it: as asked, or `reboot` where kexec cannot be; null for `--boot none`. */
  readonly leaveBy: 'reboot' | 'kexec' | null;
}

/** The installation, step by step. What a step opens for those after it is closed here, last opened first. */
export async function executePlan(context: PlanContext): Promise<PlanOutcome> {
  const { request, log, runStep } = context;
  await using opened = new AsyncDisposableStack();
  const { source, bundle, plan } = await runStep('image_inspection', (ctx) => prepareInstall(ctx, { request, opened }));
  if ((await context.onPlan(plan)) === 'stop') return { message: 'nothing was changed', installed: null };

  const { target, written } = await runStep('bootloader_streaming', (ctx) =>
    streamBootloader(ctx, { request, source, plan, opened }),
  );
  const disk = await runStep('partition_resize', (ctx) => resizeRoot(ctx, { plan, target, head: written.head }));
  const { root, mount, proofs } = await runStep('layer_extraction', (ctx) =>
    extractLayers(ctx, { source, plan, disk, opened }),
  );
  const identifiers = await runStep('cloud_init_configuration', (ctx) =>
    configureSystem(ctx, { request, disk, root: root.path }),
  );
  await runStep('agent_injection', (ctx) => injectAgentStep(ctx, { request, plan, bundle, root: root.path }));
  const { leaveBy } = await runStep('sync_and_reboot', (ctx) =>
    finishInstall(ctx, { request, plan, target, disk, identifiers, root, mount, written, proofs }),
  );
  log.info({ disk: plan.diskFacts.path }, 'installation complete');
  return {
    message: `installed ${plan.inspected.image.reference} on ${plan.diskFacts.path}`,
    facts: {
      manifest_digest: plan.inspected.image.manifestDigest,
      disk: plan.diskFacts.path,
      disk_serial: plan.diskFacts.serial,
      disk_wwn: plan.diskFacts.wwn,
    },
    installed: { disk: plan.diskFacts.path, rootNumber: disk.rootNumber, leaveBy },
  };
}
