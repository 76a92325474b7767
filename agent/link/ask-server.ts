import type { Socket } from 'node:net';
import { Agent, type Dispatcher } from 'undici';
import type { z } from 'zod';
import { ProvisionError } from '../../core/base/errors.ts';
import { parseRetryAfter } from '../../core/oci/retry-after.ts';
import { serverConnectError } from '../../core/pinned-ca/server-connect-error.ts';

export interface AskOptions<T> {
  readonly method: 'GET' | 'POST';
  readonly body?: unknown;
  /** Of the answers 200 and 201. */
  readonly schema: z.ZodType<T>;
  /** What a 4xx means to the caller; null leaves it to the usual errors. */
  readonly refusal?: (status: number, detail: string) => ProvisionError | null;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const answerLimitBytes = 256 * 1024;
const longestRetryAfterMs = 60 * 60_000;

/** Connections that `dial` makes, one request at a time on each. */
export function dispatcherOver(dial: () => Promise<Socket>): Agent {
  return new Agent({
    pipelining: 1,
    allowH2: false,
    connect: (_options, callback) => {
      dial().then(
        (socket) => callback(null, socket),
        (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), null),
      );
    },
  });
}

/**
 * One JSON request to the server, tried once.
 * @throws ProvisionError what `refusal` gives; `server_rate_limited` (fact retry_after_ms), `server_error`,
 * `server_answer_invalid`, `server_unreachable`, `aborted`, and what dialling throws.
 */
export async function askServer<T>(dispatcher: Dispatcher, url: URL, options: AskOptions<T>): Promise<T> {
  const { status, text, retryAfter } = await exchange(dispatcher, url, options);
  if (status === 200 || status === 201) {
    const result = options.schema.safeParse(parseJson(text));
    if (result.success) return result.data;
    throw strange(url, `does not answer ${url.pathname} as expected`);
  }
  const detail = detailOf(text);
  const refusal = status >= 400 && status < 500 ? options.refusal?.(status, detail) : null;
  throw refusal ?? statusError(url, { status, detail, retryAfter });
}

/** Why a status is no success, for requests and for the upgrade to a socket. */
export function statusError(
  url: URL,
  answer: { readonly status: number; readonly detail: string; readonly retryAfter: string | undefined },
): ProvisionError {
  const { status, detail } = answer;
  const facts = { host: url.host, status };
  const said = detail === '' ? '' : ` (${detail})`;
  if (status === 429) {
    const waitMs = parseRetryAfter(answer.retryAfter, Date.now(), longestRetryAfterMs) ?? 10_000;
    const wait = `asks to be left alone for ${Math.max(1, Math.ceil(waitMs / 1000))} s`;
    return new ProvisionError('server_rate_limited', `the server ${url.host} ${wait}${said}`, {
      facts: { ...facts, retry_after_ms: waitMs },
    });
  }
  if (status >= 500)
    return new ProvisionError('server_error', `the server ${url.host} answers ${status}${said}`, { facts });
  return strange(url, `answers ${status}${said} to ${url.pathname}`);
}

interface Exchange {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | undefined;
}

async function exchange(dispatcher: Dispatcher, url: URL, options: AskOptions<unknown>): Promise<Exchange> {
  const deadline = AbortSignal.timeout(options.timeoutMs);
  try {
    const answer = await dispatcher.request({
      method: options.method,
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      headers: {
        accept: 'application/json',
        'user-agent': 'durantic',
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: options.body === undefined ? null : JSON.stringify(options.body),
      signal: AbortSignal.any([options.signal, deadline]),
    });
    const retryAfter = answer.headers['retry-after'];
    return {
      status: answer.statusCode,
      text: await readText(answer.body, url),
      retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
    };
  } catch (cause) {
    throw serverConnectError(cause, url, options.signal);
  }
}

async function readText(body: Dispatcher.ResponseData['body'], url: URL): Promise<string> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of body) {
    sizeBytes += part.length;
    if (sizeBytes > answerLimitBytes) throw strange(url, `sends too much in answer to ${url.pathname}`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** `{"detail": …}` of an error as one line that is fit to be shown; it never repeats what was sent. */
export function detailOf(text: string): string {
  const value = parseJson(text);
  const detail = typeof value === 'object' && value !== null && 'detail' in value ? value.detail : null;
  return typeof detail === 'string' ? onOneLine(detail) : '';
}

/** Text of another machine, for a message: one line, no control characters, at most 200 characters. */
export function onOneLine(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .slice(0, 200);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function strange(url: URL, what: string): ProvisionError {
  return new ProvisionError('server_answer_invalid', `${url.host} ${what}; it may be no durantic server`, {
    facts: { host: url.host },
  });
}
