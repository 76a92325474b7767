import { asProvisionError, ProvisionError } from '../../core/base/errors.ts';
import type { Logger } from '../../core/base/logger.ts';
import type { ProvisionEvent, StepId } from '../../protocol/provision-event.ts';
import type { InstallPlan } from './install-plan.ts';
import { executePlan, type InstalledSystem } from './plan.ts';
import { ProvisionEvents } from './provision-events.ts';
import type { ProvisionRequest, StepContext, StepResult } from './types.ts';

export interface RunProvisionOptions {
  readonly request: ProvisionRequest;
  readonly onEvent: (event: ProvisionEvent) => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Shown the plan before the first write; `stop` ends the run there, as a success with an untouched disk. */
  readonly onPlan: (plan: InstallPlan) => Promise<'go' | 'stop'>;
  readonly now?: () => number;
  /** Called after each step, before the next begins: what a test looks at while the root is mounted. */
  readonly afterStep?: (step: StepId, value: unknown) => Promise<void> | void;
}

export type RunStep = <T>(step: StepId, run: (ctx: StepContext) => Promise<StepResult<T>>) => Promise<T>;

/**
 * One installation from the first request to the commit. Every step emits `started` and exactly one outcome; the last
 * event has `step: null`. Leaving for the new system is the caller's, who knows what is left to say before.
 * @throws ProvisionError what ended the installation, with the state of the disk; its events were emitted before.
 */
export async function runProvision(options: RunProvisionOptions): Promise<InstalledSystem | null> {
  const { request, log, signal } = options;
  const events = new ProvisionEvents({
    provisionUuid: request.provisionUuid,
    onEvent: options.onEvent,
    ...(options.now === undefined ? {} : { now: options.now }),
  });
  let current: StepId | null = null;

  const runStep: RunStep = async (step, run) => {
    signal.throwIfAborted();
    current = step;
    events.started(step);
    const ctx: StepContext = {
      step,
      signal,
      log,
      progress: (progress) => events.progress(step, progress),
      warn: (message, facts) => events.warning(step, message, facts),
      setDiskState: (state) => events.disk(step, state),
    };
    const result = await run(ctx);
    await options.afterStep?.(step, result.value);
    events.ended(step, result.outcome, result.message, result.facts);
    current = null;
    return result.value;
  };

  try {
    const done = await executePlan({ request, log, runStep, onPlan: options.onPlan });
    events.finished(done.message, events.diskState, done.facts);
    return done.installed;
  } catch (thrown) {
    const error = firstError(thrown, signal, log);
    // The commit knows better when it fails behind its last write.
    const state = error.diskState ?? events.diskState;
    error.diskState = state;
    log.error({ err: error, step: current, disk_state: state }, 'installation failed');
    events.failed(current, error, state);
    throw error;
  }
}

/**
 * The error that ended the run: what `using` reports as suppressed came first, what failed while cleaning up is only
 * logged. An abort shows the reason it was given, whatever the interrupted call made of it.
 */
function firstError(thrown: unknown, signal: AbortSignal, log: Logger): ProvisionError {
  let error = thrown;
  while (error instanceof SuppressedError) {
    log.warn({ err: error.error }, 'clean-up after the failure failed too');
    error = error.suppressed;
  }
  if (signal.aborted && !(error instanceof ProvisionError && error.kind === 'aborted')) {
    if (signal.reason instanceof ProvisionError) return signal.reason;
    return new ProvisionError('aborted', 'the installation was aborted', { cause: error });
  }
  return asProvisionError(error);
}
