import { Agent, type BodyInit, type RequestInit, type Response, fetch as undiciFetch } from 'undici';
import type { Resources } from '../resources.ts';

export interface ApiReply<T> {
  readonly status: number;
  /** Parsed JSON, the text where it is none, null without a body. What the test names as `T` it must check itself. */
  readonly body: T;
  readonly headers: Headers;
}

/** A caller of the API that trusts the server's own CA only. */
export interface ApiClient {
  /** With a body that is not a string: JSON. The admin token goes along unless `headers` has an `authorization`. */
  api<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<ApiReply<T>>;
  /** As the global `fetch`, with a path; no token. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

export interface ApiClientOptions {
  readonly url: string;
  readonly adminToken: string;
  /** PEM; null: the system's roots, or plain HTTP. */
  readonly caCertificate: string | null;
}

/** Its connections end with the test, before a server that was started earlier. */
export function apiClient(resources: Resources, options: ApiClientOptions): ApiClient {
  const { url, adminToken, caCertificate } = options;
  const dispatcher = new Agent(caCertificate === null ? {} : { connect: { ca: caCertificate } });
  resources.defer('end the connections of the client', () => dispatcher.destroy());
  const fetchPath = async (path: string, init: RequestInit = {}): Promise<Response> =>
    await undiciFetch(url + path, { ...init, dispatcher });
  return {
    fetch: fetchPath,
    api: async <T>(method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) => {
      const isText = typeof body === 'string';
      const response = await fetchPath(path, {
        method,
        redirect: 'manual',
        headers: {
          authorization: `Bearer ${adminToken}`,
          ...(body === undefined || isText ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: (isText ? body : JSON.stringify(body)) as BodyInit }),
      });
      const text = await response.text();
      return { status: response.status, body: parsed(text) as T, headers: response.headers as Headers };
    },
  };
}

function parsed(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
