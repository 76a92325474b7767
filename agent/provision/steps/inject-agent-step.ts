import { injectAgent } from '../../rootfs/inject-agent.ts';
import type { LocatedBundle } from '../../rootfs/locate-bundle.ts';
import type { InstallPlan } from '../install-plan.ts';
import type { ProvisionRequest, StepContext, StepResult } from '../types.ts';

export interface InjectAgentInput {
  readonly request: ProvisionRequest;
  readonly plan: InstallPlan;
  /** Null when no agent is wanted. */
  readonly bundle: LocatedBundle | null;
  /** Where the new root is mounted. */
  readonly root: string;
}

/** Step 6: the agent's bundle, configuration and record of this installation, unless it was not wanted. */
export async function injectAgentStep(ctx: StepContext, input: InjectAgentInput): Promise<StepResult<null>> {
  const { request, plan, bundle, root } = input;
  if (bundle === null) return { outcome: 'skipped', message: 'no agent was wanted', value: null };
  const { image } = plan.inspected;
  const injected = await injectAgent(
    {
      root,
      bundle,
      agentConfig: request.agentConfig,
      identity: request.identity,
      record: {
        provision_uuid: request.provisionUuid,
        image: image.reference,
        image_digest: image.manifestDigest,
        installed_at: new Date().toISOString(),
        disk: { serial: plan.diskFacts.serial, wwn: plan.diskFacts.wwn },
      },
    },
    ctx,
  );
  for (const warning of injected.warnings) ctx.warn(warning);
  const libraries = injected.laidDown.length === 0 ? '' : `, with ${injected.laidDown.join(' and ')}`;
  return {
    outcome: 'succeeded',
    message: `durantic ${injected.version}${libraries}`,
    facts: { agent_version: injected.version, glibc: injected.glibcVersion, laid_down: injected.laidDown },
    value: null,
  };
}
