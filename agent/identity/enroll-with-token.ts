import { ProvisionError } from '../../core/base/errors.ts';
import { retry } from '../../core/base/retry.ts';
import { retryAfterOf } from '../../core/oci/retry-after.ts';
import { type EnrollBody, type EnrollReply, enrollReplySchema } from '../../protocol/enrolment.ts';
import type { MachineFacts } from '../../protocol/machine-facts.ts';
import type { ServerEndpoint } from '../link/server-endpoint.ts';
import type { KeyPair } from './read-identity.ts';

export interface EnrollWithTokenOptions {
  readonly endpoint: ServerEndpoint;
  /** Compact JWE; goes to the server and nowhere else. */
  readonly token: string;
  readonly keys: KeyPair;
  readonly facts: MachineFacts;
  readonly onRetry?: (error: ProvisionError, delayMs: number) => void;
  readonly signal: AbortSignal;
  /** How often a server that is not there is tried; default 5. */
  readonly attempts?: number;
}

/** Delays between attempts to reach the server, for enrolment and for the link. */
export const reconnectDelays = { firstDelayMs: 1000, longestDelayMs: 60_000, jitter: 'full' } as const;

/**
 * Makes this machine known to the server (`POST /api/agent/enroll`). The same key gives the same machine, so that it may
 * be called again after any failure.
 * @throws ProvisionError `token_refused`, `token_expired`, and what `ServerEndpoint.ask` throws.
 */
export async function enrollWithToken(options: EnrollWithTokenOptions): Promise<EnrollReply> {
  const { endpoint, signal } = options;
  const body: EnrollBody = { token: options.token, public_key: options.keys.public_key, facts: options.facts };
  const refusal = (status: number, detail: string): ProvisionError | null => refusalOf(options, status, detail);
  return await retry(
    async () =>
      await endpoint.ask('/api/agent/enroll', { method: 'POST', body, schema: enrollReplySchema, refusal, signal }),
    {
      ...reconnectDelays,
      attempts: options.attempts ?? 5,
      signal,
      delayHintMs: (error) => retryAfterOf(error, Math.random),
      onRetry: (error, _attempt, delayMs) => options.onRetry?.(error, delayMs),
    },
  );
}

function refusalOf({ endpoint, token }: EnrollWithTokenOptions, status: number, detail: string): ProvisionError | null {
  if (![401, 403, 409].includes(status)) return null;
  const { host } = endpoint.url;
  const facts = { host, status };
  if (/\bhas expired\b/i.test(detail)) {
    return new ProvisionError('token_expired', `the token has expired on the server ${host}`, { facts });
  }
  // What the server says is shown, unless it repeats the token.
  const said = detail === '' || detail.includes(token.slice(0, 16)) ? '' : ` (${detail})`;
  return new ProvisionError('token_refused', `the server ${host} does not accept the token${said}`, { facts });
}
