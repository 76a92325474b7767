import { type Dispatcher, request } from 'undici';
import { z } from 'zod';
import { ProvisionError } from '../base/errors.ts';
import { retry } from '../base/retry.ts';
import { serverConnectError } from '../pinned-ca/server-connect-error.ts';
import { parseEvents, type ServerSentEvent } from './parse-events.ts';
import { type ServerTrust, serverDispatcher } from './server-dispatcher.ts';
import { statusError } from './status-error.ts';

export interface ApiClientOptions {
  /** `https://host:8443`; a path in it is dropped, as the Terraform provider does. */
  readonly endpoint: string;
  readonly token: string;
  readonly trust: ServerTrust;
  /** Ends every request. */
  readonly signal?: AbortSignal;
  /** No byte for this long ends a request, except an event stream's; default 30 s. */
  readonly stallTimeoutMs?: number;
}

/** The REST interface of a durantic server. Every method throws ProvisionError with the codes of `statusError`. */
export interface ApiClient extends AsyncDisposable {
  readonly origin: string;
  /** Tried up to three times when the server cannot be reached or fails. */
  get<T>(path: string, schema: z.ZodType<T>): Promise<T>;
  post<T>(path: string, body: unknown, schema: z.ZodType<T>): Promise<T>;
  patch<T>(path: string, body: unknown, schema: z.ZodType<T>): Promise<T>;
  delete(path: string): Promise<void>;
  /** Server-sent events until the server or the caller ends them. */
  events(path: string, signal: AbortSignal): AsyncGenerator<ServerSentEvent>;
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

interface Answer {
  readonly status: number;
  readonly text: string;
}

const answerLimitBytes = 64 * 1024 * 1024;
const getAttempts = { attempts: 3, firstDelayMs: 250, longestDelayMs: 2000 } as const;

/** @throws ProvisionError `usage` for an endpoint that is no http(s) URL. */
export function createApiClient(options: ApiClientOptions): ApiClient {
  const { origin, host } = parseEndpoint(options.endpoint);
  let connections: Promise<Dispatcher> | undefined;
  const dispatcher = async (): Promise<Dispatcher> => {
    connections ??= serverDispatcher(origin, options.trust, options.signal);
    try {
      return await connections;
    } catch (error) {
      // The next attempt fetches the CA again.
      connections = undefined;
      throw error;
    }
  };
  const send = async (method: Method, path: string, body?: unknown): Promise<Answer> =>
    await sendOnce({ ...options, origin, host, dispatcher, method, path, body });
  const parse = <T>(answer: Answer, schema: z.ZodType<T>): T => parseAnswer(answer, schema, host);
  return {
    origin,
    get: async (path, schema) =>
      await retry(async () => parse(await send('GET', path), schema), {
        ...getAttempts,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        delayHintMs: retryAfterMs,
      }),
    post: async (path, body, schema) => parse(await send('POST', path, body), schema),
    patch: async (path, body, schema) => parse(await send('PATCH', path, body), schema),
    delete: async (path) => void (await send('DELETE', path)),
    events: (path, signal) => streamEvents({ origin, host, dispatcher, token: options.token, path, signal }),
    [Symbol.asyncDispose]: async () => {
      await (await connections?.catch(() => undefined))?.destroy();
    },
  };
}

function parseEndpoint(text: string): { origin: string; host: string } {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') {
    throw new ProvisionError('usage', `the endpoint ${JSON.stringify(text)} is no address such as https://server:8443`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new ProvisionError('usage', 'the endpoint must not carry a user name or password; the API token is enough');
  }
  return { origin: url.origin, host: url.host };
}

function retryAfterMs(error: ProvisionError): number | undefined {
  const seconds = error.facts['retry_after_seconds'];
  return typeof seconds === 'number' ? seconds * 1000 : undefined;
}

interface Sending extends ApiClientOptions {
  readonly origin: string;
  readonly host: string;
  readonly dispatcher: () => Promise<Dispatcher>;
  readonly method: Method;
  readonly path: string;
  readonly body: unknown;
}

async function sendOnce(sending: Sending): Promise<Answer> {
  const { origin, host, method, path, body, signal } = sending;
  const url = new URL(path, origin);
  const stallTimeoutMs = sending.stallTimeoutMs ?? 30_000;
  const dispatcher = await sending.dispatcher();
  try {
    const answer = await request(url, {
      dispatcher,
      method,
      headers: {
        ...headersOf(sending.token),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headersTimeout: stallTimeoutMs,
      bodyTimeout: stallTimeoutMs,
      ...(signal === undefined ? {} : { signal }),
    });
    const text = await readText(answer.body, host);
    if (answer.statusCode >= 200 && answer.statusCode < 300) return { status: answer.statusCode, text };
    const retryAfterSeconds = secondsOf(answer.headers['retry-after']);
    throw statusError({ status: answer.statusCode, text, retryAfterSeconds }, host);
  } catch (cause) {
    throw serverConnectError(cause, url, signal);
  }
}

function headersOf(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}`, accept: 'application/json', 'user-agent': 'durantic' };
}

async function readText(body: AsyncIterable<Buffer>, host: string): Promise<string> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of body) {
    sizeBytes += part.length;
    if (sizeBytes > answerLimitBytes) {
      throw new ProvisionError('server_answer_invalid', `${host} sends more than ${answerLimitBytes} bytes`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function secondsOf(header: string | string[] | undefined): number | undefined {
  return typeof header === 'string' && /^\d+$/.test(header) ? Number(header) : undefined;
}

function parseAnswer<T>(answer: Answer, schema: z.ZodType<T>, host: string): T {
  try {
    return schema.parse(answer.text === '' ? undefined : JSON.parse(answer.text));
  } catch (error) {
    const cause = error instanceof z.ZodError ? new Error(z.prettifyError(error)) : error;
    const message = `${host} sends an answer that this version of durantic cannot read`;
    throw new ProvisionError('server_answer_invalid', message, { cause });
  }
}

interface Streaming {
  readonly origin: string;
  readonly host: string;
  readonly dispatcher: () => Promise<Dispatcher>;
  readonly token: string;
  readonly path: string;
  readonly signal: AbortSignal;
}

/** Longest silence of an event stream: the server sends a comment at least every 30 s. */
const eventSilenceMs = 60_000;

async function* streamEvents(streaming: Streaming): AsyncGenerator<ServerSentEvent> {
  const { origin, host, token, path, signal } = streaming;
  const url = new URL(path, origin);
  const dispatcher = await streaming.dispatcher();
  try {
    const answer = await request(url, {
      dispatcher,
      headers: { ...headersOf(token), accept: 'text/event-stream' },
      headersTimeout: 30_000,
      bodyTimeout: eventSilenceMs,
      signal,
    });
    if (answer.statusCode !== 200) {
      const text = await readText(answer.body, host);
      throw statusError({ status: answer.statusCode, text, retryAfterSeconds: undefined }, host);
    }
    yield* parseEvents(answer.body);
  } catch (cause) {
    throw serverConnectError(cause, url, signal);
  }
}
