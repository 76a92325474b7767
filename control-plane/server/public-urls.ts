import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import type { ListenAddress } from './settings.ts';

export interface PublicUrlsOptions {
  /** Origins that the operator gave; used as they are when there are any. */
  readonly given: readonly string[];
  /** What the server listens on, with the real port. */
  readonly listen: ListenAddress;
  readonly scheme: 'http' | 'https';
  /** Default: of this host. */
  readonly hostName?: string;
  /** IP addresses of this host without zone; default: of its interfaces. */
  readonly addresses?: readonly string[];
}

/**
 * The origins under which machines reach the server, the one to show first: given ones, else the listening address;
 * for a wildcard every address of the host (loopback last, link-local never), and its name.
 */
export function publicUrlsOf(options: PublicUrlsOptions): string[] {
  if (options.given.length > 0) return [...options.given];
  const { host, port } = options.listen;
  const name = options.hostName ?? hostname();
  const hosts = isWildcard(host) ? wildcardHosts(host, options.addresses ?? hostAddresses(), name) : [host];
  return [...new Set(hosts.map((each) => originOf(options.scheme, each, port)))];
}

/** `https://[::1]:8443`, without the port where it is the scheme's own (WHATWG URL, origin). */
export function originOf(scheme: 'http' | 'https', host: string, port: number): string {
  return new URL(`${scheme}://${isIP(host) === 6 ? `[${host}]` : host}:${port}`).origin;
}

/** The host of an origin as a certificate names it: IPv6 without brackets. */
export function hostOfUrl(url: string): string {
  const { hostname: host } = new URL(url);
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function wildcardHosts(host: string, addresses: readonly string[], name: string): string[] {
  // A socket on :: takes IPv4 too, one on 0.0.0.0 takes nothing else.
  const served = addresses.filter((address) => isIP(address) === 4 || host === '::');
  const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1';
  return [
    ...served.filter((address) => !isLoopback(address)),
    ...(isDnsName(name) ? [name.toLowerCase()] : []),
    ...served.filter(isLoopback),
  ];
}

/** RFC 1123, section 2.1, and not only digits and dots; other host names exist, but no certificate can carry them. */
function isDnsName(name: string): boolean {
  return (
    /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i.test(name) &&
    !/^[\d.]+$/.test(name)
  );
}

function hostAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ address }) => !/^fe[89ab]/i.test(address) && !address.startsWith('169.254.'))
    .map(({ address }) => address);
}
