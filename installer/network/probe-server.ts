import { fetchServerCa, type SetClock } from '../../agent/identity/fetch-server-ca.ts';
import { askServer, dispatcherOver } from '../../agent/link/ask-server.ts';
import { dialServer, type Trust } from '../../agent/link/dial.ts';
import type { DialVia } from '../../agent/link/dial-via.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import { caReplySchema } from '../../protocol/enrolment.ts';
import type { Probe, Route } from './network.ts';
import { resolveByLink } from './resolve-by-link.ts';

export interface ServerProbeOptions {
  /** Origin; `http:` only where plain HTTP was asked for by name. */
  readonly server: URL;
  /** `sha256:…`; null: the system's roots, or `ca`. */
  readonly pin: string | null;
  /** PEM. */
  readonly ca?: string | null;
  readonly proxy: URL | null;
  readonly setClock: SetClock;
  readonly onClockSet?: (from: Date, to: Date) => void;
  /** Of each of the at most two connections; default 15 s. */
  readonly timeoutMs?: number;
  /** Milliseconds since 1970, injectable. */
  readonly now?: () => number;
}

/**
 * A probe that reaches the durantic server by exactly one link, through the proxy if there is one: the name is asked of the
 * link's name servers, the connection begins at the link's address, the certificate is verified, and the server must answer
 * `GET /api/agent/ca`. A clock that cannot be right is set on the way (protocol.md, "Server identity").
 * Throws ProvisionError `server_unreachable`, `server_pin_mismatch`, `server_untrusted`, `clock_wrong`, `server_error`,
 * `server_answer_invalid`, `server_rate_limited`, `aborted`.
 */
export function serverProbe(options: ServerProbeOptions): Probe {
  const timeoutMs = options.timeoutMs ?? 15_000;
  return async (route, signal) => {
    const { server, proxy } = options;
    const via: DialVia = {
      localAddress4: route.localAddress4,
      localAddress6: route.localAddress6,
      lookup: async (hostname, lookupSignal) => await resolveByLink(hostname, route, lookupSignal),
    };
    try {
      const trust = await trustIn(options, { via, timeoutMs, signal });
      const dispatcher = dispatcherOver(async () => await dialServer({ server, trust, proxy, timeoutMs, via, signal }));
      try {
        await askForCa(dispatcher, { server, timeoutMs, signal });
      } finally {
        await dispatcher.destroy();
      }
    } catch (cause) {
      throw signal.aborted ? cause : byThisLink(cause, { route, options, timeoutMs });
    }
  };
}

interface Attempt {
  readonly via: DialVia;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

async function trustIn(options: ServerProbeOptions, attempt: Attempt): Promise<Trust> {
  const { server, pin, ca } = options;
  if (server.protocol !== 'https:') return { kind: 'none' };
  if (pin !== null) {
    const { proxy, setClock, onClockSet, now } = options;
    const clock = { setClock, ...(onClockSet ? { onClockSet } : {}), ...(now ? { now } : {}) };
    return { kind: 'ca', pem: await fetchServerCa({ server, pin, proxy, ...clock, ...attempt }) };
  }
  return ca == null ? { kind: 'system' } : { kind: 'ca', pem: ca };
}

async function askForCa(
  dispatcher: ReturnType<typeof dispatcherOver>,
  { server, timeoutMs, signal }: { readonly server: URL; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const url = new URL('/api/agent/ca', server);
  let hasNoCa = false;
  // A server with a given certificate has no CA of its own; that it is the right one, TLS has shown.
  const refusal = (status: number): null => {
    hasNoCa = status === 404;
    return null;
  };
  try {
    await askServer(dispatcher, url, { method: 'GET', schema: caReplySchema, refusal, timeoutMs, signal });
  } catch (error) {
    if (!hasNoCa) throw error;
  }
}

const noRouteErrnos = ['EACCES', 'ENETUNREACH', 'EADDRNOTAVAIL'];

/** The error in words that tell this link from the others. */
function byThisLink(
  cause: unknown,
  {
    route,
    options,
    timeoutMs,
  }: { readonly route: Route; readonly options: ServerProbeOptions; readonly timeoutMs: number },
): unknown {
  if (!(cause instanceof ProvisionError) || cause.code !== 'server_unreachable') return cause;
  const { server, proxy } = options;
  const target = proxy === null ? `the server ${server.host}` : `the proxy ${proxy.host}`;
  const errno = innermostErrno(cause);
  const own = [route.localAddress4, route.localAddress6].filter((address) => address !== null).join(' and ');
  const facts = { ...cause.facts, link: route.name, errno };
  const because = (message: string): ProvisionError =>
    new ProvisionError('server_unreachable', message, { cause, facts, retryable: cause.retryable });
  if (noRouteErrnos.includes(errno)) return because(`has ${own} but no route to ${target}`);
  if (errno === 'EHOSTUNREACH') {
    const hop = route.gateways.length === 0 ? target : `${target} or the gateway ${route.gateways.join(', ')}`;
    return because(`has ${own}, but ${hop} does not answer on this network`);
  }
  if (errno === 'ECONNREFUSED') return because(`${target} refuses the connection: nothing listens on that port`);
  // What stands before a server that is away, such as a load balancer, accepts and then has nobody to hand over to.
  if (errno === 'ECONNRESET') return because(`${target} closes the connection before it has answered`);
  if (errno === 'ETIMEDOUT' || /did not answer in time/.test(cause.message)) {
    return because(`${target} did not answer in ${Math.round(timeoutMs / 1000)} s by this link`);
  }
  return cause;
}

/** Of the system call that failed; of several attempts, that of the first address. */
function innermostErrno(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return innermostErrno(error.errors[0]);
  if (!(error instanceof Error)) return '';
  const inner = error.cause === undefined ? '' : innermostErrno(error.cause);
  // A connection that ends within the TLS handshake has such a code, and no number.
  const own = 'code' in error && typeof error.code === 'string' && /^E[A-Z0-9]+$/.test(error.code) ? error.code : '';
  return inner === '' ? own : inner;
}
