import { asProvisionError, ProvisionError } from '../../core/base/errors.ts';
import type { AddressTurns } from './address-turns.ts';
import type { Probe, Route } from './network.ts';

export interface LinkProberOptions {
  readonly turns: AddressTurns;
  /** Routing table of the link. */
  readonly table: string;
  readonly timeoutMs: number;
  readonly retryMs: number;
  readonly onEnd: (hasReached: boolean) => void;
}

/** Asks by one link whether the server answers: one probe at a time, with a pause after each. */
export class LinkProber {
  readonly #options: LinkProberOptions;
  #running: { readonly abort: AbortController; readonly done: Promise<void>; readonly key: string } | null = null;
  #notBeforeMs = 0;
  #problem: ProvisionError | null = null;

  constructor(options: LinkProberOptions) {
    this.#options = options;
  }

  /** What the last probe failed with; null before one has ended, and after one that did not fail. */
  get problem(): string | null {
    return this.#problem?.message ?? null;
  }

  /** True when nothing answered the last probe: the network may be another one than the link's addresses are of. */
  get isLost(): boolean {
    const { code, facts } = this.#problem ?? { code: null, facts: {} };
    return code === 'server_unreachable' && facts['errno'] !== 'ECONNREFUSED' && facts['errno'] !== 'ECONNRESET';
  }

  /** Starts a probe unless one runs or its pause is not over; one by other addresses is begun anew. */
  start(probe: Probe, route: Route): void {
    const key = [route.localAddress4, route.localAddress6, ...route.nameservers].join(' ');
    if (this.#running !== null && this.#running.key !== key) {
      this.#running.abort.abort();
      return;
    }
    if (this.#running !== null || performance.now() < this.#notBeforeMs) return;
    const abort = new AbortController();
    this.#running = { abort, key, done: this.#run(probe, route, abort.signal) };
  }

  /** Ends what runs and forgets how it went before. */
  async reset(): Promise<void> {
    this.#running?.abort.abort();
    await this.#running?.done;
    this.#problem = null;
    this.#notBeforeMs = 0;
  }

  async #run(probe: Probe, route: Route, signal: AbortSignal): Promise<void> {
    const { turns, table, timeoutMs, retryMs, onEnd } = this.#options;
    const addresses = [route.localAddress4, route.localAddress6].filter((address) => address !== null);
    let hasReached = false;
    try {
      await turns.take(addresses, table, async () => await withinTime(probe, route, timeoutMs, signal), signal);
      hasReached = !signal.aborted;
      this.#problem = null;
    } catch (cause) {
      if (!signal.aborted) this.#problem = asProvisionError(cause);
    }
    this.#running = null;
    this.#notBeforeMs = signal.aborted ? 0 : performance.now() + retryMs;
    onEnd(hasReached);
  }
}

async function withinTime(probe: Probe, route: Route, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    await probe(route, AbortSignal.any([signal, deadline]));
  } catch (cause) {
    if (signal.aborted || !deadline.aborted) throw cause;
    const message = `the server did not answer in ${Math.round(timeoutMs / 1000)} s by this link`;
    throw new ProvisionError('server_unreachable', message, { cause });
  }
}
