import { errorReplySchema, validationReplySchema } from '../../protocol/api/common.ts';
import { ProvisionError } from '../base/errors.ts';
import { plainLine } from '../base/plain-text.ts';

/** A wait that the server asks for is kept when a person would bear it; a longer one is theirs to decide. */
const longestBearableSeconds = 10;

export interface ErrorAnswer {
  readonly status: number;
  /** Body as it came. */
  readonly text: string;
  /** `Retry-After` in seconds, if it was there. */
  readonly retryAfterSeconds: number | undefined;
}

/** What an answer that is no success means for the person who asked. `host` is named where the server itself is meant. */
export function statusError(answer: ErrorAnswer, host: string): ProvisionError {
  const { status } = answer;
  const facts = { host, status };
  const detail = readDetail(answer.text);
  if (status === 401) {
    return new ProvisionError('api_token_refused', `the server ${host} does not accept the API token`, { facts });
  }
  if (status === 403) {
    return new ProvisionError('api_token_refused', detail ?? `the server ${host} does not allow this`, { facts });
  }
  if (status === 404) return new ProvisionError('object_not_found', detail ?? 'it does not exist', { facts });
  if (status === 409) return new ProvisionError('request_conflict', detail ?? 'it is in the way', { facts });
  if (status === 429) return rateLimited(detail, answer.retryAfterSeconds, facts);
  if (status === 400 || status === 413 || status === 422) {
    return new ProvisionError('request_invalid', detail ?? `the server ${host} refuses the values`, { facts });
  }
  if (status >= 500) {
    const message = `the server ${host} answers ${status}${detail === undefined ? '' : `: ${detail}`}`;
    return new ProvisionError('server_error', message, { facts });
  }
  const what = `${host} answers ${status}, which no durantic server does`;
  return new ProvisionError('server_answer_invalid', what, { facts });
}

function rateLimited(
  detail: string | undefined,
  seconds: number | undefined,
  facts: Readonly<Record<string, string | number>>,
): ProvisionError {
  const when = seconds === undefined ? 'try again later' : `try again in ${seconds} s`;
  return new ProvisionError('server_rate_limited', `${detail ?? 'too many requests'}; ${when}`, {
    facts: { ...facts, retry_after_seconds: seconds ?? null },
    retryable: seconds !== undefined && seconds <= longestBearableSeconds,
  });
}

/** `detail` of an error body as one sentence, fields named; undefined for a body of another form. */
function readDetail(text: string): string | undefined {
  const value = parseJson(text);
  const plain = errorReplySchema.safeParse(value);
  if (plain.success) return plainLine(plain.data.detail);
  const fields = validationReplySchema.safeParse(value);
  if (!fields.success || fields.data.detail.length === 0) return undefined;
  return plainLine(fields.data.detail.map(({ loc, msg }) => describeProblem(loc, msg)).join('; '));
}

// `["body", "roles", 0]` is for programs; the person gave the field.
function describeProblem(loc: readonly (string | number)[], message: string): string {
  const field = (loc[0] === 'body' || loc[0] === 'query' ? loc.slice(1) : loc).join('.');
  return field === '' ? message : `${field}: ${message}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
