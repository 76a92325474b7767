import type { Clock, ServerContext } from '../context.ts';

/** A step of the wall clock of less than this is no matter to time-outs of minutes. */
const toleratedStepMs = 10_000;
/** A look that comes so much later than the one before has missed what happened between them. Looks are seconds apart. */
const longestGapMs = 60_000;

/**
 * Since when silence counts. It begins anew when somebody sets the clock, in either direction, and when the server did
 * not run for a while: stopped, frozen, or suspended with its machine (then Linux's monotonic clock stands still and the
 * other does not). Sockets that broke meanwhile still count as connected, and stored times are of another clock.
 */
export class Observation {
  readonly #context: Pick<ServerContext, 'clock' | 'log'>;
  #sinceMs: number;
  #wallMs: number;
  #monotonicMs: number;

  constructor(context: Pick<ServerContext, 'clock' | 'log'>) {
    this.#context = context;
    this.#wallMs = context.clock.now();
    this.#monotonicMs = monotonicOf(context.clock);
    this.#sinceMs = this.#wallMs;
  }

  /** Milliseconds since 1970. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Called every few seconds. @returns Whether the observation has begun anew. */
  look(): boolean {
    const { clock, log } = this.#context;
    const wallMs = clock.now();
    const monotonicMs = monotonicOf(clock);
    const gapMs = monotonicMs - this.#monotonicMs;
    const clockStepMs = wallMs - this.#wallMs - gapMs;
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
    if (Math.abs(clockStepMs) <= toleratedStepMs && gapMs <= longestGapMs) return false;
    this.#sinceMs = wallMs;
    const facts = { clock_step_ms: Math.round(clockStepMs), gap_ms: Math.round(gapMs) };
    log.warn(facts, 'the clock was set, or the server did not run for a while: time-outs begin anew');
    return true;
  }
}

function monotonicOf(clock: Clock): number {
  return clock.monotonic?.() ?? performance.now();
}
