import { enrollWithToken } from '../../agent/identity/enroll-with-token.ts';
import type { KeyPair } from '../../agent/identity/read-identity.ts';
import { type ApprovalEvent, requestApproval } from '../../agent/identity/request-approval.ts';
import type { ServerEndpoint } from '../../agent/link/server-endpoint.ts';
import { throwIfAborted } from '../../core/base/abort.ts';
import type { ProvisionError } from '../../core/base/errors.ts';
import { retry } from '../../core/base/retry.ts';
import { retryAfterOf } from '../../core/oci/retry-after.ts';
import type { MachineFacts } from '../../protocol/machine-facts.ts';
import type { InstallerEvent } from '../state/installer-events.ts';
import type { TroubleSubject } from './trouble-board.ts';

export interface EnrolMachineOptions {
  readonly endpoint: ServerEndpoint;
  /** Null: by approval code alone. */
  readonly token: string | null;
  readonly keys: KeyPair;
  /** Asked anew for each attempt: addresses change. */
  readonly facts: () => Promise<MachineFacts>;
  readonly emit: (event: InstallerEvent) => void;
  /** Told what stands in the way of one of the two ways, or (null) that it is gone. */
  readonly onTrouble: (subject: TroubleSubject, error: ProvisionError | null, retryInMs: number | null) => void;
  readonly signal: AbortSignal;
  readonly timings?: EnrolTimings;
}

export interface EnrolTimings {
  /** First and longest pause after a failure that may pass by itself; default 1 s and 30 s. */
  readonly firstDelayMs?: number;
  readonly longestDelayMs?: number;
  /** First and longest pause after the token was refused; default 30 s and 5 minutes: a rack of machines behind one address must not use up what the server allows. */
  readonly refusedFirstMs?: number;
  readonly refusedLongestMs?: number;
  /** Pause after an operator has denied the machine; default 60 s. */
  readonly deniedMs?: number;
  /** Milliseconds of one of the server's `poll_seconds`. */
  readonly secondMs?: number;
}

/**
 * Enrols the machine, for as long as it takes: with the token, and from its first refusal on by an approval code as well,
 * so that an operator can let in a machine whose token has expired; whichever succeeds first. Every failure is told and
 * tried again, because nobody may be near who could start it anew.
 * @throws ProvisionError `aborted`, and defects.
 */
export async function enrolMachine(options: EnrolMachineOptions): Promise<string> {
  if (options.token === null) return await byApproval(options);
  const ending = new AbortController();
  const signal = AbortSignal.any([options.signal, ending.signal]);
  const refused = Promise.withResolvers<void>();
  const onRefused = (): void => refused.resolve();
  const ways = [
    byToken({ ...options, signal }, options.token, onRefused),
    refused.promise.then(async () => {
      throwIfAborted(signal);
      return await byApproval({ ...options, signal });
    }),
  ];
  try {
    return await Promise.race(ways);
  } finally {
    ending.abort();
    refused.resolve();
    await Promise.allSettled(ways);
  }
}

async function byToken(options: EnrolMachineOptions, token: string, onRefused: () => void): Promise<string> {
  const { endpoint, keys, emit, onTrouble, timings = {}, signal } = options;
  const { refusedFirstMs = 30_000, refusedLongestMs = 5 * 60_000 } = timings;
  let refusals = 0;
  emit({ kind: 'enrolling', way: 'token' });
  const attempt = async (): Promise<string> => {
    const facts = await options.facts();
    return (await enrollWithToken({ endpoint, token, keys, facts, signal, attempts: 1 })).machine_uuid;
  };
  return await retry(attempt, {
    ...delays(options),
    delayHintMs: (error) => {
      if (!isRefusal(error)) return retryAfterOf(error, Math.random);
      refusals += 1;
      const ceilingMs = Math.min(refusedLongestMs, refusedFirstMs * 2 ** (refusals - 1));
      return Math.round(ceilingMs * (0.75 + Math.random() / 4));
    },
    onRetry: (error, _attempt, delayMs) => {
      const subject = isRefusal(error) ? 'token' : 'server';
      if (subject === 'token') onTrouble('server', null, null);
      onTrouble(subject, error, delayMs);
      if (subject === 'token') onRefused();
    },
  });
}

async function byApproval(options: EnrolMachineOptions): Promise<string> {
  const { endpoint, keys, emit, onTrouble, timings = {}, signal } = options;
  const onEvent = (event: ApprovalEvent): void => {
    if (event.kind === 'unreachable') onTrouble('server', event.error, event.retryInMs);
    else onTrouble('server', null, null);
    if (event.kind === 'approved') emit({ kind: 'approval', approval: null });
    if (event.kind !== 'code') return;
    onTrouble('approval', null, null);
    emit({ kind: 'approval', approval: { code: event.code, expiresAt: event.expiresAt } });
  };
  const second = timings.secondMs === undefined ? {} : { secondMs: timings.secondMs };
  emit({ kind: 'enrolling', way: 'approval' });
  const attempt = async (): Promise<string> =>
    await requestApproval({ endpoint, keys, facts: await options.facts(), onEvent, signal, ...second });
  try {
    return await retry(attempt, {
      ...delays(options),
      delayHintMs: (error) =>
        error.code === 'approval_denied' ? (timings.deniedMs ?? 60_000) : retryAfterOf(error, Math.random),
      onRetry: (error, _attempt, delayMs) => {
        emit({ kind: 'approval', approval: null });
        onTrouble(error.code === 'approval_denied' ? 'approval' : 'server', error, delayMs);
      },
    });
  } finally {
    emit({ kind: 'approval', approval: null });
  }
}

function delays({ timings = {}, signal }: EnrolMachineOptions) {
  return {
    firstDelayMs: timings.firstDelayMs ?? 1000,
    longestDelayMs: timings.longestDelayMs ?? 30_000,
    attempts: Number.POSITIVE_INFINITY,
    signal,
    isRetryable: ({ kind }: ProvisionError) => kind !== 'aborted' && kind !== 'bug',
  };
}

function isRefusal({ code }: ProvisionError): boolean {
  return code === 'token_refused' || code === 'token_expired';
}
