import { createSecureContext, getCACertificates } from 'node:tls';
import { Agent } from 'undici';
import { ProvisionError } from '../base/errors.ts';
import { fetchPinnedCa } from '../pinned-ca/fetch-pinned-ca.ts';
import type { Pin } from '../pinned-ca/pin.ts';

/** How the server's certificate is believed. */
export type ServerTrust =
  | { readonly kind: 'system' }
  /** PEM: the only root. */
  | { readonly kind: 'ca'; readonly certificate: string }
  /** The CA is fetched from the server and believed if its key hashes to the pin; then it is the only root. */
  | { readonly kind: 'pin'; readonly pin: Pin }
  | { readonly kind: 'none' };

export const connectTimeoutMs = 10_000;

/**
 * Connections to one server.
 * @throws ProvisionError as `fetchPinnedCa`; `usage` when the CA is no certificate.
 */
export async function serverDispatcher(origin: string, trust: ServerTrust, signal?: AbortSignal): Promise<Agent> {
  const common = { timeout: connectTimeoutMs, allowH2: false, autoSelectFamily: true };
  if (!origin.startsWith('https:')) return new Agent({ connect: common });
  if (trust.kind === 'none') return new Agent({ connect: { ...common, rejectUnauthorized: false } });
  const roots = await trustedRoots(origin, trust, signal);
  return new Agent({ connect: { ...common, secureContext: secureContextOf(roots) } });
}

async function trustedRoots(
  origin: string,
  trust: Exclude<ServerTrust, { kind: 'none' }>,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  if (trust.kind === 'system') return [...new Set(getCACertificates('system'))];
  if (trust.kind === 'ca') return [trust.certificate];
  const options = { origin, pin: trust.pin, timeoutMs: connectTimeoutMs };
  return [(await fetchPinnedCa(signal === undefined ? options : { ...options, signal })).certificate];
}

function secureContextOf(ca: string[]) {
  try {
    return createSecureContext({ ca });
  } catch (cause) {
    throw new ProvisionError('usage', 'the CA certificate cannot be read', { cause });
  }
}
