import { type ErrorFacts, ProvisionError } from '../base/errors.ts';
import { parseContentRange } from './content-range.ts';
import type { HttpResponse } from './http-get.ts';

/** What was asked for: bytes `atBytes` (inclusive) to `endBytes` (exclusive) of a blob of `totalBytes`. */
export interface WantedBytes {
  readonly label: string;
  readonly atBytes: number;
  readonly endBytes: number;
  readonly totalBytes: number;
}

/** How the body of an answer is to be read. */
export interface BodyPlan {
  /** Bytes before the wanted ones, to be dropped. */
  readonly discardBytes: number;
  /** Wanted bytes that this body carries. */
  readonly takeBytes: number;
  /** True when the body must end behind the wanted bytes. */
  readonly mustEnd: boolean;
}

/**
 * Decides by status, Content-Length and Content-Range what a body is. Nothing is taken on trust: a part that is not
 * the one asked for is never used.
 * @throws ProvisionError `size_mismatch` when the server's size of the blob is not the manifest's; `download_interrupted`
 * with the fact `range_refused` for 416, for a 206 of other bytes, and for a 206 that was not asked for.
 */
export function planBody(response: HttpResponse, wanted: WantedBytes, askedRange: boolean): BodyPlan {
  const { label, atBytes, endBytes, totalBytes } = wanted;
  const range = parseContentRange(response.header('content-range'));
  if (range?.totalBytes != null && response.status !== 200) assertTotal(range.totalBytes, wanted);
  if (response.status === 200) {
    const length = response.header('content-length');
    if (length !== undefined) assertTotal(Number(length), wanted);
    return { discardBytes: atBytes, takeBytes: endBytes - atBytes, mustEnd: endBytes === totalBytes };
  }
  const asked = `bytes ${atBytes} to ${endBytes - 1} of ${label}`;
  const facts = { status: response.status, at_bytes: atBytes, content_range: response.header('content-range') ?? '' };
  if (response.status === 416) throw rangeRefused(`${response.url.host} refuses ${asked}`, facts);
  const part = range?.range;
  const isAskedPart = askedRange && part?.firstByte === atBytes && part.lastByte < endBytes;
  if (!part || !isAskedPart) {
    throw rangeRefused(`${response.url.host} sends another part than ${asked}`, facts);
  }
  // A server may send less of a range than asked for (RFC 9110 section 15.3.7); the rest is asked for again.
  return { discardBytes: 0, takeBytes: part.lastByte + 1 - atBytes, mustEnd: true };
}

/** True for an answer that cannot be used, where one without a Range header might be. */
export function isRangeRefused(error: unknown): error is ProvisionError {
  return error instanceof ProvisionError && error.facts['range_refused'] === true;
}

function rangeRefused(message: string, facts: ErrorFacts): ProvisionError {
  return new ProvisionError('download_interrupted', message, { facts: { ...facts, range_refused: true } });
}

function assertTotal(actualBytes: number, wanted: WantedBytes): void {
  if (actualBytes === wanted.totalBytes) return;
  throw sizeMismatch(wanted, `has ${actualBytes} bytes in the registry`, actualBytes);
}

/** `layer 3 (…) has N bytes in the registry where M were expected`. */
export function sizeMismatch(wanted: WantedBytes, what: string, actualBytes: number): ProvisionError {
  return new ProvisionError('size_mismatch', `${wanted.label} ${what} where the manifest says ${wanted.totalBytes}`, {
    facts: { size_bytes: actualBytes, expected_size_bytes: wanted.totalBytes, had_bytes: wanted.atBytes },
  });
}
