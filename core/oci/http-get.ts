import type { Dispatcher } from 'undici';
import { abortError } from '../base/abort.ts';
import { ProvisionError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { bodyError, connectError, safeUrl } from './transport-error.ts';

export interface HttpGetOptions {
  readonly headers: Readonly<Record<string, string>>;
  /** Sent to this origin only, whatever redirects follow. */
  readonly authorization?: { readonly origin: string; readonly value: string };
  /** No byte for this long, headers included, ends the request. */
  readonly stallTimeoutMs: number;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  /** Where the answer came from, after redirects. */
  readonly url: URL;
  header(name: string): string | undefined;
  /** Body bytes; a stall or a broken connection throws `download_interrupted`. May be read once. */
  chunks(): AsyncGenerator<Buffer>;
  /** Ends the connection without reading the rest. */
  discard(): void;
}

const mostRedirects = 5;
const redirectStatuses = new Set([301, 302, 303, 307, 308]);
const bodyBufferBytes = 512 * 1024;
const drainBytes = 64 * 1024;

/**
 * One GET with redirects followed here (at most 5, never from https to http, Authorization to its own origin only).
 * Any final status is an answer. Compressed transfer is not asked for and refused.
 * @throws ProvisionError `registry_unreachable`, `tls_untrusted`, `registry_error` (bad redirect or encoding), `aborted`.
 */
export async function httpGet(dispatcher: Dispatcher, start: URL, options: HttpGetOptions): Promise<HttpResponse> {
  let url = start;
  for (let hop = 0; ; hop += 1) {
    const answer = await sendOnce(dispatcher, url, options);
    if (!redirectStatuses.has(answer.statusCode)) return toResponse(answer, url, options);
    const location = singleHeader(answer.headers['location']);
    answer.body.on('error', () => {});
    void answer.body.dump({ limit: drainBytes }).catch(() => {});
    if (hop >= mostRedirects) {
      throw new ProvisionError('registry_error', `${start.host} redirects more than ${mostRedirects} times`, {
        retryable: false,
      });
    }
    url = redirectTarget(url, location);
    options.log.debug({ url: safeUrl(url), status: answer.statusCode }, 'redirected');
  }
}

/**
 * The whole body as long as it is at most `limitBytes`.
 * @throws ProvisionError `registry_error` for a longer one, `download_interrupted`, `aborted`.
 */
export async function readBody(response: HttpResponse, limitBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.chunks()) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) {
      throw new ProvisionError('registry_error', `${safeUrl(response.url)} sends more than ${limitBytes} bytes`, {
        retryable: false,
      });
    }
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

async function sendOnce(dispatcher: Dispatcher, url: URL, options: HttpGetOptions): Promise<Dispatcher.ResponseData> {
  const { authorization, headers, signal, stallTimeoutMs } = options;
  if (signal.aborted) throw abortError(signal);
  const hasAuthorization = authorization !== undefined && authorization.origin === url.origin;
  try {
    return await dispatcher.request({
      method: 'GET',
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      headers: {
        ...headers,
        'accept-encoding': 'identity',
        'user-agent': 'durantic',
        ...(hasAuthorization ? { authorization: authorization.value } : {}),
      },
      signal,
      headersTimeout: stallTimeoutMs,
      bodyTimeout: 0,
      highWaterMark: bodyBufferBytes,
    });
  } catch (cause) {
    throw connectError(cause, url, signal);
  }
}

function toResponse(answer: Dispatcher.ResponseData, url: URL, options: HttpGetOptions): HttpResponse {
  const { body } = answer;
  // A body that is destroyed before anyone reads it emits an error, which nobody but the reader is interested in.
  body.on('error', () => {});
  const encoding = singleHeader(answer.headers['content-encoding'])?.toLowerCase();
  if (encoding !== undefined && encoding !== 'identity') {
    body.destroy();
    throw new ProvisionError(
      'registry_error',
      `${url.host} sends the content encoding ${encoding}, which was not asked for`,
      {
        retryable: false,
      },
    );
  }
  return {
    status: answer.statusCode,
    url,
    header: (name) => singleHeader(answer.headers[name]),
    chunks: () => bodyChunks(body, url, options),
    discard: () => void body.destroy(),
  };
}

async function* bodyChunks(
  body: Dispatcher.ResponseData['body'],
  url: URL,
  options: HttpGetOptions,
): AsyncGenerator<Buffer> {
  const { stallTimeoutMs } = options;
  const onStall = (): void => {
    const seconds = Math.round(stallTimeoutMs / 100) / 10;
    body.destroy(new ProvisionError('download_interrupted', `${url.host} sent nothing for ${seconds} s`));
  };
  let timer = setTimeout(onStall, stallTimeoutMs);
  try {
    for await (const chunk of body) {
      // Time that the consumer takes is no stall.
      clearTimeout(timer);
      yield chunk;
      timer = setTimeout(onStall, stallTimeoutMs);
    }
  } catch (cause) {
    throw bodyError(cause, url, options.signal);
  } finally {
    clearTimeout(timer);
  }
}

function redirectTarget(from: URL, location: string | undefined): URL {
  const to = location !== undefined && URL.canParse(location, from) ? new URL(location, from) : undefined;
  const isHttp = to?.protocol === 'https:' || to?.protocol === 'http:';
  if (!to || !isHttp) {
    throw new ProvisionError('registry_error', `${from.host} redirects to nowhere`, { retryable: false });
  }
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    throw new ProvisionError(
      'registry_error',
      `${from.host} redirects from HTTPS to plain HTTP (${to.host}), which is refused`,
      {
        retryable: false,
      },
    );
  }
  return to;
}

function singleHeader(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}
