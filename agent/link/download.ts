import type { Dispatcher } from 'undici';
import { ProvisionError } from '../../core/base/errors.ts';
import { serverConnectError } from '../../core/pinned-ca/server-connect-error.ts';
import { detailOf, statusError } from './ask-server.ts';

export interface Download {
  /** Null where the server does not say. */
  readonly sizeBytes: number | null;
  readonly body: AsyncIterable<Uint8Array>;
}

/** No byte for so long ends a download. */
const stallTimeoutMs = 30_000;

/**
 * A file of the server, tried once. The body must be read to its end or left with `return`.
 * @throws ProvisionError `object_not_found` for a file that the server does not have, else as `askServer`; reading the
 * body throws `server_unreachable` or `aborted`.
 */
export async function openDownload(dispatcher: Dispatcher, url: URL, signal: AbortSignal): Promise<Download> {
  let answer: Dispatcher.ResponseData;
  try {
    answer = await dispatcher.request({
      method: 'GET',
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      headers: { 'user-agent': 'durantic' },
      headersTimeout: stallTimeoutMs,
      bodyTimeout: stallTimeoutMs,
      signal,
    });
  } catch (cause) {
    throw serverConnectError(cause, url, signal);
  }
  const { statusCode: status, headers, body } = answer;
  if (status !== 200) throw await refusalOf(url, answer);
  const length = Number(headers['content-length'] ?? Number.NaN);
  return { sizeBytes: Number.isSafeInteger(length) ? length : null, body: chunksOf(body, url, signal) };
}

async function* chunksOf(
  body: Dispatcher.ResponseData['body'],
  url: URL,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) yield chunk as Uint8Array;
  } catch (cause) {
    throw serverConnectError(cause, url, signal);
  }
}

async function refusalOf(url: URL, answer: Dispatcher.ResponseData): Promise<ProvisionError> {
  const { statusCode: status, headers } = answer;
  const text = await answer.body.text().catch(() => '');
  const detail = detailOf(text);
  if (status === 404) {
    const said = detail === '' ? '' : `: ${detail}`;
    return new ProvisionError('object_not_found', `the server ${url.host} has no ${url.pathname}${said}`);
  }
  const retryAfter = headers['retry-after'];
  return statusError(url, { status, detail, retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter });
}
