import { join } from 'node:path';
import type { Services } from '../../control-plane/all-routes.ts';
import type { Clock, ServerContext } from '../../control-plane/context.ts';
import type { ServerSettings } from '../../control-plane/server/settings.ts';
import { startServer } from '../../control-plane/server/start-server.ts';
import { type Logger, silentLogger } from '../../core/base/logger.ts';
import type { Resources } from '../resources.ts';
import { type ApiClient, apiClient } from './api-client.ts';

export { startServerProcess } from './server-process.ts';

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
  readonly certificateCheckMs?: number;
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
    registryCaFile: null,
    registryAddresses: new Map(),
    logLevel: 'error',
    ...options.settings,
  };
  const server = await startServer(settings, {
    log: options.log ?? silentLogger,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    ...(options.certificateCheckMs === undefined ? {} : { certificateCheckMs: options.certificateCheckMs }),
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
