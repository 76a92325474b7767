import { sleep } from '../../core/base/abort.ts';
import { describeError } from '../../core/base/describe-error.ts';
import type { ErrorCode } from '../../core/base/error-codes.ts';
import type { ProvisionError } from '../../core/base/errors.ts';
import { retry } from '../../core/base/retry.ts';
import { retryAfterOf } from '../../core/oci/retry-after.ts';
import { reconnectDelays } from '../identity/enroll-with-token.ts';
import type { MachineIdentity } from '../identity/read-identity.ts';
import { connectAgent, type HelloFacts } from './connect.ts';
import { NetworkWatch } from './network-watch.ts';
import type { Outbox } from './outbox.ts';
import type { ServerEndpoint } from './server-endpoint.ts';
import { runSession, type SessionHandlers } from './session.ts';

/** What happens to the link, for logs and screens. */
export type LinkEvent =
  | { readonly kind: 'connecting'; readonly server: string }
  | { readonly kind: 'connected'; readonly server: string; readonly machineUuid: string }
  | {
      readonly kind: 'disconnected';
      readonly code: ErrorCode;
      readonly message: string;
      readonly retryInMs: number;
      /** False while the same thing goes wrong again and again: a log says it once, a screen counts down. */
      readonly isNew: boolean;
    }
  /** A frame that one side did not understand. */
  | { readonly kind: 'oddity'; readonly message: string };

export interface LinkTimings {
  readonly firstDelayMs?: number;
  readonly longestDelayMs?: number;
  /** A connection that held so long begins the delays anew; default 30 s. */
  readonly stableMs?: number;
  /** Least wait after another agent with the same key took over; default 60 s. */
  readonly replacedMs?: number;
  readonly stepTimeoutMs?: number;
  readonly inventoryEveryMs?: number;
  readonly graceMs?: number;
}

export interface RunLinkOptions {
  readonly endpoint: ServerEndpoint;
  readonly identity: MachineIdentity;
  readonly outbox: Outbox;
  readonly handlers: Omit<SessionHandlers, 'onOddity'>;
  readonly helloFacts: () => Promise<HelloFacts>;
  readonly onEvent: (event: LinkEvent) => void;
  /** What ends the link instead of being tried again. */
  readonly endOn: readonly ErrorCode[];
  readonly signal: AbortSignal;
  readonly timings?: LinkTimings;
  /** Injectable for tests. */
  readonly network?: NetworkWatch;
}

/** Machines that lost their network together get it back together. */
const longestSpreadMs = 1000;

/** What another network may repair. */
const networkCodes: ReadonlySet<ErrorCode> = new Set(['server_unreachable', 'link_lost']);

/**
 * Keeps this machine connected: connects, runs the session, and connects again after 1 s to 60 s (exponentially, full
 * jitter), whatever was wrong, and at once (0 s to 1 s) when the machine gets an address or a default route. A server that asks for a wait gets it; after another agent with the same key took over,
 * the wait is long, so that the two do not take turns by the second.
 * @throws ProvisionError `aborted` at the end; what `endOn` names.
 */
export async function runLink(options: RunLinkOptions): Promise<never> {
  const { timings = {}, signal, network = new NetworkWatch() } = options;
  const firstDelayMs = timings.firstDelayMs ?? reconnectDelays.firstDelayMs;
  const said = new Reporter(options);
  const state = { connectedAtMs: null as number | null };
  const wasStable = (): boolean =>
    state.connectedAtMs !== null && performance.now() - state.connectedAtMs >= (timings.stableMs ?? 30_000);
  return await retry<never>(async () => await attempt(options, said, state), {
    ...reconnectDelays,
    firstDelayMs,
    ...(timings.longestDelayMs === undefined ? {} : { longestDelayMs: timings.longestDelayMs }),
    attempts: Number.POSITIVE_INFINITY,
    signal,
    isRetryable: ({ kind, code }) => kind !== 'aborted' && kind !== 'bug' && !options.endOn.includes(code),
    hadProgress: wasStable,
    delayHintMs: (error) => {
      if (error.code === 'agent_replaced') return (timings.replacedMs ?? 60_000) * (1 + Math.random());
      return retryAfterOf(error, Math.random);
    },
    wait: async (delayMs, error) => {
      if (networkCodes.has(error.code) && (await network.wait(delayMs, signal))) {
        await sleep(Math.random() * Math.min(firstDelayMs, longestSpreadMs), signal);
        return true;
      }
      if (!networkCodes.has(error.code)) await sleep(delayMs, signal);
      return false;
    },
    onRetry: (error, _attempt, delayMs) => said.disconnected(error, { retryInMs: delayMs, wasStable: wasStable() }),
  });
}

async function attempt(
  options: RunLinkOptions,
  said: Reporter,
  state: { connectedAtMs: number | null },
): Promise<never> {
  const { endpoint, identity, outbox, handlers, signal, timings = {} } = options;
  state.connectedAtMs = null;
  options.onEvent({ kind: 'connecting', server: endpoint.origin });
  const facts = await options.helloFacts();
  const steps = timings.stepTimeoutMs === undefined ? {} : { stepTimeoutMs: timings.stepTimeoutMs };
  const connection = await connectAgent({ endpoint, identity, facts, lastSeq: outbox.lastSeq, signal, ...steps });
  state.connectedAtMs = performance.now();
  said.connected();
  return await runSession({
    connection,
    host: endpoint.url.host,
    outbox,
    handlers: { ...handlers, onOddity: (message) => options.onEvent({ kind: 'oddity', message }) },
    signal,
    ...(timings.inventoryEveryMs === undefined ? {} : { inventoryEveryMs: timings.inventoryEveryMs }),
    ...(timings.graceMs === undefined ? {} : { graceMs: timings.graceMs }),
  });
}

/** Tells what is new from what is the same as before. */
class Reporter {
  readonly #options: RunLinkOptions;
  #last: string | null = null;

  constructor(options: RunLinkOptions) {
    this.#options = options;
  }

  connected(): void {
    const { endpoint, identity, onEvent } = this.#options;
    onEvent({ kind: 'connected', server: endpoint.origin, machineUuid: identity.machine_uuid });
  }

  disconnected(error: ProvisionError, { retryInMs, wasStable }: { retryInMs: number; wasStable: boolean }): void {
    const { code } = error;
    const isNew = wasStable || code !== this.#last;
    this.#last = code;
    this.#options.onEvent({ kind: 'disconnected', code, message: describeError(error), retryInMs, isNew });
  }
}
