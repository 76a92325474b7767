import { sleep } from '../../core/base/abort.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import { retry } from '../../core/base/retry.ts';
import { retryAfterOf } from '../../core/oci/retry-after.ts';
import {
  type ApprovalCreated,
  type ApprovalStatus,
  approvalCreatedSchema,
  approvalStatusSchema,
} from '../../protocol/enrolment.ts';
import type { MachineFacts } from '../../protocol/machine-facts.ts';
import type { ServerEndpoint } from '../link/server-endpoint.ts';
import { reconnectDelays } from './enroll-with-token.ts';
import type { KeyPair } from './read-identity.ts';

/** What happens while a machine waits for its approval, for a screen. */
export type ApprovalEvent =
  /** The code that the operator enters; `isRenewal` when it replaces one that has expired. */
  | { readonly kind: 'code'; readonly code: string; readonly expiresAt: string; readonly isRenewal: boolean }
  /** The server does not answer; it is asked again after `retryInMs`. Said once until it answers. */
  | { readonly kind: 'unreachable'; readonly error: ProvisionError; readonly retryInMs: number }
  | { readonly kind: 'reachable' }
  | { readonly kind: 'approved'; readonly machineUuid: string };

export interface RequestApprovalOptions {
  readonly endpoint: ServerEndpoint;
  readonly keys: KeyPair;
  readonly facts: MachineFacts;
  readonly onEvent: (event: ApprovalEvent) => void;
  readonly signal: AbortSignal;
  /** Milliseconds of one of the server's `poll_seconds`; injectable for tests. */
  readonly secondMs?: number;
}

/**
 * Shows a code and waits until an operator has entered it; an expired code is renewed by itself, an unreachable server
 * waited for. Ends with the machine's UUID.
 * @throws ProvisionError `approval_denied`, `aborted`, and what makes asking again useless (`server_pin_mismatch`, …).
 */
export async function requestApproval(options: RequestApprovalOptions): Promise<string> {
  for (let isRenewal = false; ; isRenewal = true) {
    const created = await persistently(options, async () => await askForCode(options));
    options.onEvent({ kind: 'code', code: created.code, expiresAt: created.expires_at, isRenewal });
    const outcome = await pollOutcome(created, options);
    if (outcome.status === 'approved') {
      options.onEvent({ kind: 'approved', machineUuid: outcome.machine_uuid });
      return outcome.machine_uuid;
    }
    if (outcome.status === 'denied') {
      throw new ProvisionError('approval_denied', `an operator of ${options.endpoint.url.host} refused this machine`);
    }
  }
}

async function askForCode({ endpoint, keys, facts, signal }: RequestApprovalOptions): Promise<ApprovalCreated> {
  const body = { public_key: keys.public_key, facts };
  return await endpoint.ask('/api/agent/approvals', { method: 'POST', body, schema: approvalCreatedSchema, signal });
}

type Outcome = Exclude<ApprovalStatus, { status: 'pending' }>;

/** Asks until there is an outcome. The server says what has expired: this machine's clock may be wrong. */
async function pollOutcome(created: ApprovalCreated, options: RequestApprovalOptions): Promise<Outcome> {
  const { endpoint, signal } = options;
  const path = `/api/agent/approvals/${created.approval_id}`;
  for (;;) {
    await sleep(created.poll_seconds * (options.secondMs ?? 1000), signal);
    const status = await persistently(options, async () => await askForStatus(endpoint, path, signal));
    if (status.status !== 'pending') return status;
  }
}

async function askForStatus(endpoint: ServerEndpoint, path: string, signal: AbortSignal): Promise<ApprovalStatus> {
  const forgotten = new ProvisionError('invariant', 'the server has forgotten the approval');
  // A server that was set back, or has cleaned up, no longer knows it: that is as good as expired.
  const refusal = (status: number): ProvisionError | null => (status === 404 || status === 410 ? forgotten : null);
  try {
    return await endpoint.ask(path, { method: 'GET', schema: approvalStatusSchema, refusal, signal });
  } catch (error) {
    if (error === forgotten) return { status: 'expired' };
    throw error;
  }
}

/** Tries until the server answers: a machine that waits for an operator has nothing else to do. */
async function persistently<T>(options: RequestApprovalOptions, attempt: () => Promise<T>): Promise<T> {
  let hasFailed = false;
  const result = await retry(attempt, {
    ...reconnectDelays,
    attempts: Number.POSITIVE_INFINITY,
    signal: options.signal,
    delayHintMs: (error) => retryAfterOf(error, Math.random),
    onRetry: (error, _attempt, retryInMs) => {
      if (!hasFailed) options.onEvent({ kind: 'unreachable', error, retryInMs });
      hasFailed = true;
    },
  });
  if (hasFailed) options.onEvent({ kind: 'reachable' });
  return result;
}
