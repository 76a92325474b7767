import type { FastifyRequest } from 'fastify';
import type { ServerContext } from '../context.ts';

type Origins = Pick<ServerContext, 'publicUrls' | 'httpBootUrl'>;

/**
 * The public origin to tell a machine: the one that it used for this request where that is one of the server's, else one
 * with the same host (firmware asks the plain listener, on another port), else the first. Never what the request alone says.
 */
export function publicOrigin({ publicUrls }: Origins, request: FastifyRequest): string {
  const used = requestUrl(request);
  const found =
    publicUrls.find((url) => url === used?.origin) ??
    publicUrls.find((url) => URL.parse(url)?.hostname === used?.hostname);
  return found ?? publicUrls[0] ?? '';
}

/**
 * The origin that firmware fetches kernel and scripts from. On the plain listener for firmware that is the address it
 * was just reached by: names need not resolve there, and the listener may have several addresses.
 */
export function bootOrigin(context: Origins, request: FastifyRequest): string {
  const used = requestUrl(request);
  if (request.protocol !== 'http' || context.publicUrls.includes(used?.origin ?? '')) {
    return publicOrigin(context, request);
  }
  return used?.origin ?? context.httpBootUrl ?? publicOrigin(context, request);
}

/** Null for a Host header that is none; only characters that an iPXE script can hold as they are come through. */
function requestUrl(request: FastifyRequest): URL | null {
  const host = request.headers.host ?? '';
  return /^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/.test(host)
    ? URL.parse(`${request.protocol}://${host}`)
    : null;
}
