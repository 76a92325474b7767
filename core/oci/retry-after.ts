import type { ProvisionError } from '../base/errors.ts';

export const longestRetryAfterMs = 60_000;

const jitterShare = 0.1;

/**
 * The wait that a Retry-After header asks for, in milliseconds from `nowMs`: seconds, an HTTP date (RFC 9110
 * section 10.2.3), or epoch seconds or milliseconds as some registries send. Clamped to 0…`longestMs` (60 s);
 * undefined when the header says nothing understandable.
 */
export function parseRetryAfter(
  value: string | undefined,
  nowMs: number,
  longestMs = longestRetryAfterMs,
): number | undefined {
  const text = value?.trim() ?? '';
  const waitMs = /^\d+(\.\d+)?$/.test(text) ? numberToWaitMs(Number(text), nowMs) : dateToWaitMs(text, nowMs);
  if (waitMs === undefined || Number.isNaN(waitMs)) return undefined;
  return Math.round(Math.min(longestMs, Math.max(0, waitMs)));
}

/** The wait plus up to a tenth (at least 100 ms of spread), so that a rack of machines does not come back at once. */
export function jitterWait(waitMs: number, random: () => number): number {
  return Math.round(waitMs + random() * Math.max(100, waitMs * jitterShare));
}

function numberToWaitMs(value: number, nowMs: number): number {
  if (value >= 1e12) return value - nowMs;
  if (value >= 1e9) return value * 1000 - nowMs;
  return value * 1000;
}

// Only dates that name a month: Date.parse reads "-5" or "1,5" as some year.
function dateToWaitMs(text: string, nowMs: number): number | undefined {
  return /[A-Za-z]{3}/.test(text) ? Date.parse(text) - nowMs : undefined;
}

/** `delayHintMs` of a retry: the jittered wait that the server asked for, as `statusError` noted it. */
export function retryAfterOf(error: ProvisionError, random: () => number): number | undefined {
  const waitMs = error.facts['retry_after_ms'];
  return typeof waitMs === 'number' ? jitterWait(waitMs, random) : undefined;
}
