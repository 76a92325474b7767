import { randomUUID } from 'node:crypto';
import { runProvision } from '../../agent/provision/run-provision.ts';
import type { ProvisionRequest } from '../../agent/provision/types.ts';
import { exitCodeOf } from '../../core/base/errors.ts';
import { silentLogger } from '../../core/base/logger.ts';
import type { ProvisionEvent, StepId } from '../../protocol/provision-event.ts';
import { assertEventStream } from './provision.ts';

export interface ProvisionHereOptions {
  readonly image: string;
  readonly disk: string;
  readonly request?: Partial<ProvisionRequest>;
  /** Called after each step with what it gives to the next, before that begins. */
  readonly afterStep?: (step: StepId, value: unknown) => Promise<void> | void;
}

export interface ProvisionedHere {
  readonly exitCode: number;
  readonly events: readonly ProvisionEvent[];
  /** The event without a step. */
  readonly last: ProvisionEvent | null;
  /** Nothing: what the program prints is made of the events. */
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * The real pipeline within the test's own process, for what the built program gives no hold on: a look between two steps,
 * other time-outs. Without an agent, from registries by plain HTTP.
 */
export async function provisionHere(options: ProvisionHereOptions): Promise<ProvisionedHere> {
  const events: ProvisionEvent[] = [];
  let exitCode = 0;
  try {
    await runProvision({
      request: requestFor(options),
      log: silentLogger,
      signal: new AbortController().signal,
      onEvent: (event) => void events.push(event),
      onPlan: async () => 'go',
      ...(options.afterStep === undefined ? {} : { afterStep: options.afterStep }),
    });
  } catch (error) {
    exitCode = exitCodeOf(error);
  }
  assertEventStream(events, exitCode);
  return { exitCode, events, last: events.find(({ step }) => step === null) ?? null, stdout: '', stderr: '' };
}

function requestFor({ image, disk, request }: ProvisionHereOptions): ProvisionRequest {
  return {
    ...{ provisionUuid: randomUUID(), image, disk, sectorBytes: 512, platform: { os: 'linux', architecture: 'amd64' } },
    ...{ plainHttp: true, registryCaFile: null, userData: null, metaData: null, vendorData: null },
    ...{ networkConfig: null, hostname: null, appendKargs: [], injectAgent: false, agentConfig: null },
    ...{ agentBundle: null, boot: 'none', readBack: false, diskWaitMs: 0, credentials: [] },
    ...{ proxy: null, link: null, identity: null },
    ...request,
  };
}
