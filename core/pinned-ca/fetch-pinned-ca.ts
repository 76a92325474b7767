import { Agent, type Dispatcher, ProxyAgent, request } from 'undici';
import { type CaReply, caReplySchema } from '../../protocol/enrolment.ts';
import { ProvisionError } from '../base/errors.ts';
import type { Pin } from './pin.ts';
import { pinnedCertificate } from './pinned-certificate.ts';
import { serverConnectError } from './server-connect-error.ts';

export interface FetchPinnedCaOptions {
  /** `https://host:8443`, without a path. */
  readonly origin: string;
  readonly pin: Pin;
  /** URL of an HTTP proxy, or null. */
  readonly proxy?: string | null;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

const answerLimitBytes = 64 * 1024;

/**
 * `GET /api/agent/ca` over a connection that verifies nothing and carries no secret. The certificate is given back only
 * when its key hashes to the pin, so that it may be the only root of every later connection (protocol.md, "Server
 * identity"). `server_time` is for a clock that cannot be right, and no fact otherwise: it is as unverified as the
 * connection. Tries once; nothing is kept open.
 * @throws ProvisionError `server_pin_mismatch`, `server_unreachable`, `server_error`, `server_answer_invalid`, `aborted`.
 */
export async function fetchPinnedCa(options: FetchPinnedCaOptions): Promise<CaReply> {
  const url = new URL('/api/agent/ca', options.origin);
  const dispatcher = unverifiedDispatcher(options.proxy ?? null, options.timeoutMs);
  try {
    const text = await fetchText(dispatcher, url, options);
    const reply = parseReply(text, url);
    return { ...reply, certificate: pinnedCertificate(reply.certificate, options.pin, url.host).toString() };
  } finally {
    await dispatcher.destroy();
  }
}

function unverifiedDispatcher(proxy: string | null, timeoutMs: number): Dispatcher {
  const tls = { rejectUnauthorized: false };
  if (proxy !== null) return new ProxyAgent({ uri: proxy, requestTls: tls });
  return new Agent({ connect: { ...tls, timeout: timeoutMs } });
}

async function fetchText(dispatcher: Dispatcher, url: URL, options: FetchPinnedCaOptions): Promise<string> {
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]);
  try {
    const answer = await request(url, { dispatcher, signal, headers: { accept: 'application/json' } });
    if (answer.statusCode !== 200) {
      answer.body.on('error', () => {});
      answer.body.destroy();
      if (answer.statusCode >= 500) {
        throw new ProvisionError('server_error', `the server ${url.host} answers ${answer.statusCode}`);
      }
      throw notOurs(url, `answers ${answer.statusCode} when asked for its certificate`);
    }
    const parts: Buffer[] = [];
    let sizeBytes = 0;
    for await (const part of answer.body) {
      sizeBytes += part.length;
      if (sizeBytes > answerLimitBytes) throw notOurs(url, 'sends too much when asked for its certificate');
      parts.push(part);
    }
    return Buffer.concat(parts).toString('utf8');
  } catch (cause) {
    throw serverConnectError(cause, url, options.signal);
  }
}

function parseReply(text: string, url: URL): CaReply {
  try {
    return caReplySchema.parse(JSON.parse(text));
  } catch (cause) {
    throw notOurs(url, 'sends something else when asked for its certificate', cause);
  }
}

function notOurs(url: URL, what: string, cause?: unknown): ProvisionError {
  return new ProvisionError('server_answer_invalid', `${url.host} ${what}; it may be no durantic server`, { cause });
}
