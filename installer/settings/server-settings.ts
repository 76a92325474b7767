import type { EndpointConfig } from '../../agent/link/server-endpoint.ts';
import { serverOriginSchema } from '../../protocol/kernel-parameter-definitions.ts';
import { pinSchema } from '../../protocol/public-key.ts';

/** The server that this machine belongs to, and what it is recognised and entered by. */
export interface ServerSettings {
  /** Scheme, host and port. Plain `http://` was asked for by name by whoever wrote it. */
  readonly server: string;
  readonly pin: string | null;
  /** Bootstrap token; null: by approval code. A secret. */
  readonly token: string | null;
}

/** The port that `durantic server` listens on when nobody says another. */
const usualPort = 8443;

/** How the server is dialled. */
export function endpointConfig({ server, pin }: ServerSettings, proxy: string | null): EndpointConfig {
  return {
    server,
    ...(server.startsWith('http:') ? { plain_http: true } : {}),
    ...(pin === null ? {} : { pin }),
    ...(proxy === null ? {} : { proxy }),
  };
}

/** What is wrong with an answer, as a sentence for whoever typed it. */
export type AnswerProblem = { readonly problem: string };

/**
 * Reads what a person typed for the server: `https://host:port`, `host:port` or `host` (HTTPS on port 8443), behind it
 * the pin where there is one. Plain HTTP must be written out.
 */
export function parseServerAnswer(text: string): Pick<ServerSettings, 'server' | 'pin'> | AnswerProblem {
  const [address = '', ...rest] = text.trim().split(/\s+/);
  if (address === '') return { problem: 'Nothing was typed.' };
  if (rest.length > 1) return { problem: 'There are too many words: the address, a space, the pin.' };
  const given = rest[0]?.toLowerCase() ?? null;
  if (given !== null && !pinSchema.safeParse(given).success) {
    return { problem: 'The second word must be the pin: sha256: and 64 hexadecimal digits.' };
  }
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(address);
  if (!hasScheme && /^sha256:/i.test(address)) return { problem: 'The address comes first, then the pin.' };
  const url = URL.parse(hasScheme ? address : `https://${bracketed(address)}`);
  if (url === null) return { problem: `"${address}" is not the address of a server.` };
  if (!hasScheme && url.port === '' && !/:443\/?$/.test(address)) url.port = String(usualPort);
  const isOriginOnly = url.pathname === '/' && [url.search, url.hash, url.username, url.password].join('') === '';
  if (!isOriginOnly) return { problem: 'Only the address is wanted: https://, the host and the port.' };
  const origin = serverOriginSchema.safeParse(url.origin);
  if (!origin.success) return { problem: 'The address must begin with https:// (or http://, which protects nothing).' };
  return { server: origin.data, pin: given };
}

/** `fd00::1` as URLs want it. */
function bracketed(address: string): string {
  return /^[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:.]*$/i.test(address) ? `[${address}]` : address;
}
