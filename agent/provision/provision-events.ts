import { describeError } from '../../core/base/describe-error.ts';
import { asProvisionError, type DiskState, type ErrorFacts, exitCodeOf } from '../../core/base/errors.ts';
import { type ProvisionEvent, type StepId, stepIds, stepNames, stepWeights } from '../../protocol/provision-event.ts';

export interface ProvisionEventsOptions {
  readonly provisionUuid: string;
  readonly onEvent: (event: ProvisionEvent) => void;
  /** Milliseconds since 1970, injectable. */
  readonly now?: () => number;
  /** Least time between two progress events of one step; default 250 ms. */
  readonly progressEveryMs?: number;
}

/** What a step reports about its own work. */
export interface StepProgress {
  /** 0 to 1, of this step. */
  readonly fraction: number;
  readonly bytesDone?: number;
  readonly bytesTotal?: number | null;
  readonly message?: string;
}

const rateWindowMs = 5000;

/**
 * Makes the events of one installation: numbers them, keeps the percentage from going back, throttles progress, measures
 * the rate over the last 5 s, and says with each how far the disk has come: any of them may be the last that is heard.
 */
export class ProvisionEvents {
  readonly #options: ProvisionEventsOptions;
  readonly #now: () => number;
  #seq = 0;
  #percent = 0;
  #diskState: DiskState = 'untouched';
  #lastProgressMs = Number.NEGATIVE_INFINITY;
  #samples: { timeMs: number; bytes: number }[] = [];

  constructor(options: ProvisionEventsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** How far the disk has come. */
  get diskState(): DiskState {
    return this.#diskState;
  }

  started(step: StepId): void {
    this.#samples = [];
    this.#lastProgressMs = Number.NEGATIVE_INFINITY;
    this.#emit({ step, state: 'started', message: stepNames[step] });
  }

  progress(step: StepId, progress: StepProgress): void {
    const nowMs = this.#now();
    if (progress.bytesDone !== undefined) this.#sample(nowMs, progress.bytesDone);
    if (nowMs - this.#lastProgressMs < (this.#options.progressEveryMs ?? 250)) return;
    this.#lastProgressMs = nowMs;
    this.#raise(step, progress.fraction);
    this.#emit({
      step,
      state: 'progress',
      message: progress.message ?? stepNames[step],
      bytes_done: progress.bytesDone ?? null,
      bytes_total: progress.bytesTotal ?? null,
      rate_bps: this.#rateBps(),
    });
  }

  /** The disk is, or is about to be, in this state: said at once, so that it is on its way before the write that makes it so. */
  disk(step: StepId, state: DiskState): void {
    this.#diskState = state;
    this.#emit({ step, state: 'progress', message: stepNames[step] });
  }

  warning(step: StepId, message: string, facts?: ErrorFacts): void {
    this.#emit({ step, state: 'warning', message, ...(facts === undefined ? {} : { facts: mutable(facts) }) });
  }

  ended(step: StepId, state: 'succeeded' | 'skipped', message: string, facts?: ErrorFacts): void {
    this.#raise(step, 1);
    this.#emit({ step, state, message, ...(facts === undefined ? {} : { facts: mutable(facts) }) });
  }

  /** The outcome of the step that failed, then the last event of the run. */
  failed(step: StepId | null, error: unknown, diskState: DiskState): void {
    const provisionError = asProvisionError(error);
    const state = provisionError.kind === 'aborted' ? ('aborted' as const) : ('failed' as const);
    const body = {
      state,
      message: describeError(provisionError),
      code: provisionError.code,
      kind: provisionError.kind,
      disk_state: diskState,
      retryable: provisionError.retryable,
      facts: mutable(provisionError.facts),
    };
    if (step !== null) this.#emit({ ...body, step });
    this.#emit({ ...body, step: null, exit_code: exitCodeOf(provisionError) });
  }

  /** The last event of a run that did what was asked. */
  finished(message: string, diskState: DiskState, facts?: ErrorFacts): void {
    if (diskState === 'complete') this.#percent = 100;
    this.#emit({
      step: null,
      state: 'succeeded',
      message,
      disk_state: diskState,
      exit_code: 0,
      ...(facts === undefined ? {} : { facts: mutable(facts) }),
    });
  }

  #raise(step: StepId, fraction: number): void {
    let before = 0;
    for (const id of stepIds) {
      if (id === step) break;
      before += stepWeights[id];
    }
    const percent = before + stepWeights[step] * Math.min(1, Math.max(0, fraction));
    // 100 means done: only `finished` gives it.
    this.#percent = Math.min(99.9, Math.max(this.#percent, Math.round(percent * 10) / 10));
  }

  #sample(timeMs: number, bytes: number): void {
    this.#samples.push({ timeMs, bytes });
    while (this.#samples.length > 2 && timeMs - (this.#samples[0]?.timeMs ?? timeMs) > rateWindowMs)
      this.#samples.shift();
  }

  #rateBps(): number | null {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.timeMs <= first.timeMs) return null;
    return Math.max(0, Math.round(((last.bytes - first.bytes) * 1000) / (last.timeMs - first.timeMs)));
  }

  #emit(event: Pick<ProvisionEvent, 'step' | 'state' | 'message'> & Partial<ProvisionEvent>): void {
    this.#seq += 1;
    this.#options.onEvent({
      v: 1,
      seq: this.#seq,
      time: new Date(this.#now()).toISOString(),
      provision_uuid: this.#options.provisionUuid,
      percent: this.#percent,
      bytes_done: null,
      bytes_total: null,
      rate_bps: null,
      disk_state: this.#diskState,
      ...event,
    });
  }
}

function mutable(facts: ErrorFacts): Record<string, string | number | boolean | null | string[]> {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [name, Array.isArray(value) ? [...value] : value]),
  ) as Record<string, string | number | boolean | null | string[]>;
}
