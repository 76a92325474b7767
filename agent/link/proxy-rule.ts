import { BlockList, isIP } from 'node:net';

export interface ProxySettings {
  readonly proxy?: string | undefined;
  /** As in the environment variable: names, `.suffix`, addresses, CIDR blocks, `host:port`, or `*`. */
  readonly no_proxy?: string | readonly string[] | undefined;
}

/** The proxy that a connection to this server takes, or null. Names match themselves and what lies below them. */
export function proxyFor(server: URL, settings: ProxySettings): URL | null {
  if (settings.proxy === undefined) return null;
  const { no_proxy: excluded = [] } = settings;
  const entries = (typeof excluded === 'string' ? excluded.split(/[\s,]+/) : excluded).map((entry) => entry.trim());
  return entries.some((entry) => entry !== '' && matches(entry.toLowerCase(), server)) ? null : new URL(settings.proxy);
}

function matches(entry: string, server: URL): boolean {
  if (entry === '*') return true;
  const host = hostOf(server);
  if (entry.includes('/')) return isInBlock(host, entry);
  const { name, port } = splitPort(entry);
  if (port !== null && port !== portOf(server)) return false;
  if (isIP(host) !== 0) return host === name;
  const suffix = name.replace(/^\*?\./, '');
  return host === suffix ? name === suffix : host.endsWith(`.${suffix}`);
}

function isInBlock(host: string, block: string): boolean {
  const family = isIP(host);
  const [network = '', bits = ''] = block.split('/');
  const length = Number(bits);
  if (family === 0 || isIP(network) !== family || !/^\d+$/.test(bits) || length > (family === 4 ? 32 : 128))
    return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(network, length, type);
  return list.check(host, type);
}

function splitPort(entry: string): { name: string; port: number | null } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(entry);
  if (match === null) return { name: entry.replace(/^\[|\]$/g, ''), port: null };
  return { name: match[1] ?? match[2] ?? '', port: Number(match[3]) };
}

/** Host without the brackets that a URL puts around an IPv6 address. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
}

/** Port, where none is written the scheme's own. */
export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}
