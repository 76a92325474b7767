import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, type BodyInit, type RequestInit, type Response, fetch as undiciFetch } from 'undici';
import type { Services } from '../../control-plane/all-routes.ts';
import type { Clock, ServerContext } from '../../control-plane/context.ts';
import type { ServerSettings } from '../../control-plane/server/settings.ts';
import { startServer } from '../../control-plane/server/start-server.ts';
import { type Logger, silentLogger } from '../../core/base/logger.ts';
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

export interface TestServer extends ApiClient {
  /** `https://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  /** Empty when the data directory was not new and no token was given. */
  readonly adminToken: string;
  readonly context: ServerContext;
  readonly services: Services;
  /** PEM. */
  readonly caCertificate: string;
  readonly pin: string;
  readonly leafPin: string;
  readonly dataDir: string;
  close(): Promise<void>;
}

export interface TestServerOptions {
  readonly settings?: Partial<ServerSettings>;
  readonly clock?: Clock;
  readonly log?: Logger;
  /** For a data directory that has one already. */
  readonly adminToken?: string;
}

/** The real server in this process on 127.0.0.1, with TLS and a data directory of its own; closed with the test. */
export async function startTestServer(resources: Resources, options: TestServerOptions = {}): Promise<TestServer> {
  const settings: ServerSettings = {
    dataDir: options.settings?.dataDir ?? join(resources.tempDir(), 'data'),
    listen: { host: '127.0.0.1', port: 0 },
    publicUrls: [],
    httpBoot: null,
    assetsDir: null,
    tls: { kind: 'own' },
    logLevel: 'error',
    ...options.settings,
  };
  const server = await startServer(settings, {
    log: options.log ?? silentLogger,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  resources.defer('close the server', () => server.close());
  const { context, services, port } = server;
  const url = `${settings.tls.kind === 'none' ? 'http' : 'https'}://${settings.listen.host}:${port}`;
  const adminToken = server.adminToken ?? options.adminToken ?? '';
  const client = apiClient(resources, { url, adminToken, caCertificate: context.caCertificate });
  return {
    ...client,
    url,
    port,
    adminToken,
    context,
    services,
    caCertificate: context.caCertificate ?? '',
    pin: context.pin ?? '',
    leafPin: context.leafPin ?? '',
    dataDir: context.dataDir,
    close: () => server.close(),
  };
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

/** PEM of the CA in a data directory. */
export function caOf(dataDir: string): string {
  return readFileSync(join(dataDir, 'ca.crt'), 'utf8');
}

function parsed(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
