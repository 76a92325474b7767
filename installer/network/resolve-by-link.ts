import { promises as dns, NODATA, NOTFOUND } from 'node:dns';
import { abortError } from '../../core/base/abort.ts';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import type { Route } from './network.ts';

const queryTimeoutMs = 2000;
const tries = 2;

/**
 * Addresses of a name, asked of a link's own name servers by this link alone. A name without a dot is looked for in the
 * link's search domains first.
 * @throws ProvisionError `server_unreachable`, `aborted`.
 */
export async function resolveByLink(hostname: string, route: Route, signal: AbortSignal): Promise<string[]> {
  // Node gives c-ares an address without its zone: name servers with a link-local one are left to the system's resolver.
  const nameservers = route.nameservers.filter((address) => !address.includes('%'));
  if (nameservers.length === 0) throw unresolved(hostname, nobodyToAsk(hostname, route.nameservers));
  const resolver = new dns.Resolver({ timeout: queryTimeoutMs, tries });
  resolver.setServers(nameservers.map((address) => (address.includes(':') ? `[${address}]` : address)));
  const local6 = route.localAddress6?.includes('%') === true ? null : route.localAddress6;
  resolver.setLocalAddress(route.localAddress4 ?? '0.0.0.0', local6 ?? '::');
  const stop = (): void => resolver.cancel();
  signal.addEventListener('abort', stop, { once: true });
  try {
    let isKnown = true;
    for (const name of candidates(hostname, route.searchDomains)) {
      const { addresses, isAnswered } = await ask(resolver, name);
      if (signal.aborted) throw abortError(signal);
      if (addresses.length > 0) return addresses;
      isKnown &&= isAnswered;
    }
    const list = nameservers.join(', ');
    const what = isKnown
      ? `the name ${hostname} is unknown to the name servers of this link (${list})`
      : `the name servers of this link (${list}) give no answer about ${hostname}`;
    throw unresolved(hostname, what);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function nobodyToAsk(hostname: string, linkLocal: readonly string[]): string {
  if (linkLocal.length === 0) return `no name server is known that could translate the name ${hostname}`;
  const named = `this link names only ${linkLocal.join(', ')}, and name servers with a link-local address cannot be asked`;
  return `the name ${hostname} cannot be translated: ${named} (nameserver= gives another one)`;
}

/** `isAnswered`: the name servers say that there is no such name. */
async function ask(resolver: dns.Resolver, name: string): Promise<{ addresses: string[]; isAnswered: boolean }> {
  const answers = await Promise.allSettled([resolver.resolve6(name), resolver.resolve4(name)]);
  const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  const isAnswered = answers.every((answer) => answer.status === 'fulfilled' || isNoSuchName(errnoOf(answer.reason)));
  return { addresses, isAnswered };
}

/** A name with a dot is taken as it is, as glibc does with `ndots:1`. */
function candidates(hostname: string, searchDomains: readonly string[]): string[] {
  if (hostname.includes('.')) return [hostname];
  return [...searchDomains.map((domain) => `${hostname}.${domain}`), hostname];
}

function unresolved(hostname: string, message: string): ProvisionError {
  return new ProvisionError('server_unreachable', message, { facts: { host: hostname } });
}

function isNoSuchName(code: string | undefined): boolean {
  return code === NODATA || code === NOTFOUND;
}
