import type { Route } from '../http/route.ts';
import { hostOfUrl, isWildcard, originOf } from './public-urls.ts';
import type { ListenAddress } from './settings.ts';

/** What firmware fetches before there is TLS (control-plane.md, "Network boot"); nothing else is served in clear. */
const firmwarePaths = new Set(['/boot/ipxe', '/boot/vmlinuz', '/boot/installer.iso']);

export function isFirmwareRoute({ method, path }: Route): boolean {
  return method === 'GET' && firmwarePaths.has(path);
}

export interface FirmwareUrlOptions {
  /** With the real port. */
  readonly listen: ListenAddress;
  readonly publicUrls: readonly string[];
}

/** The origin of the plain listener; on a wildcard address the host is that of the first public URL. */
export function firmwareUrlOf({ listen, publicUrls }: FirmwareUrlOptions): string {
  const [first] = publicUrls;
  const host = isWildcard(listen.host) && first !== undefined ? hostOfUrl(first) : listen.host;
  return originOf('http', host, listen.port);
}
