import type { RequestListener } from 'node:http';
import type { Logger } from '../../core/base/logger.ts';
import { allRoutes, type Services } from '../all-routes.ts';
import type { Clock, ServerContext } from '../context.ts';
import { createApiToken } from '../enrolment/api-tokens.ts';
import { createApp } from '../http/create-app.ts';
import { registerRoutes } from '../http/register-routes.ts';
import { EventBus } from '../live/event-bus.ts';
import { ensureAccount } from '../store/ensure-account.ts';
import { openDatabase, transaction } from '../store/open-database.ts';
import { Sealer } from '../store/sealer.ts';
import { authenticateApi } from './authenticate-api.ts';
import { dataFiles } from './data-files.ts';
import { loadSecretsKey } from './load-secrets-key.ts';
import { lockDataDir } from './lock-data-dir.ts';
import { makeServices } from './make-services.ts';
import { prepareDataDir } from './prepare-data-dir.ts';
import { hostOfUrl, publicUrlsOf } from './public-urls.ts';
import { RequestTracker } from './request-tracker.ts';
import type { ServerSettings } from './settings.ts';
import { loadTlsIdentity } from './tls/load-tls-identity.ts';
import { WebServer } from './web-server.ts';

export interface StartOptions {
  readonly log: Logger;
  /** Default: the system's. */
  readonly clock?: Clock;
}

export interface RunningServer {
  readonly context: ServerContext;
  readonly services: Services;
  /** The port that the server listens on. */
  readonly port: number;
  /** An API token when this start made the account; shown once, stored as a hash. */
  readonly adminToken: string | null;
  /** Finishes what runs, tells agents to come back later, and lets go of the data directory; within 5 s. */
  close(): Promise<void>;
}

/** How long running requests may take once the server is stopping. */
const drainMs = 3500;

/**
 * Starts `durantic server` on a data directory, which is made when it is not there.
 * @throws ProvisionError `data_dir_unusable`, `data_dir_in_use`, `server_key_missing`, `server_key_invalid`,
 * `certificate_unusable`, `database_unusable`, `listen_failed`.
 */
export async function startServer(settings: ServerSettings, options: StartOptions): Promise<RunningServer> {
  await using undo = new AsyncDisposableStack();
  const clock = options.clock ?? { now: () => Date.now() };
  const dataDir = prepareDataDir(settings.dataDir);
  undo.defer(lockDataDir(dataDir));
  const files = dataFiles(dataDir);
  const sealer = new Sealer(loadSecretsKey(files));
  const scheme = settings.tls.kind === 'none' ? 'http' : 'https';
  const urlsOn = (port: number): string[] =>
    publicUrlsOf({ given: settings.publicUrls, listen: { ...settings.listen, port }, scheme });
  const names = [...new Set(urlsOn(settings.listen.port).map(hostOfUrl))];
  const identity = await loadTlsIdentity({ tls: settings.tls, files, names, nowMs: clock.now() });
  const { db, accountUuid, adminToken } = openStore(files.database, clock);
  undo.defer(() => db.close());
  const web = await WebServer.listen(settings.listen, identity);
  undo.defer(() => web.cut());
  const context: ServerContext = {
    db,
    log: options.log,
    clock,
    sealer,
    events: new EventBus(),
    accountUuid,
    publicUrls: urlsOn(web.port),
    pin: identity?.pin ?? null,
    caCertificate: identity?.caCertificate ?? null,
    leafPin: identity?.leafPin ?? null,
    httpBootUrl: null,
    assetsDir: settings.assetsDir,
    dataDir,
  };
  const services = makeServices(context);
  const tracker = new RequestTracker();
  const handlers: RequestListener[] = [];
  const app = createApp({
    log: options.log,
    attach: (handler) => {
      handlers.push(tracker.track(handler));
      return web.server;
    },
  });
  registerRoutes(app, allRoutes(context, services), {
    authenticate: authenticateApi(context),
    publicAccountUuid: accountUuid,
  });
  await app.ready();
  for (const handler of handlers) web.serve(handler);
  const keep = undo.move();
  const close = async (): Promise<void> => {
    const closed = web.close();
    await tracker.drain(drainMs);
    web.cut();
    await closed;
    await app.close();
    await keep.disposeAsync();
  };
  let closing: Promise<void> | undefined;
  return { context, services, port: web.port, adminToken, close: () => (closing ??= close()) };
}

/** Account and first API token are made together or not at all. */
function openStore(file: string, clock: Clock) {
  const db = openDatabase(file);
  try {
    const isNew = db.prepare('SELECT 1 FROM accounts').get() === undefined;
    return transaction(db, () => {
      const accountUuid = ensureAccount(db, clock.now());
      const nowMs = clock.now();
      const adminToken = isNew ? createApiToken(db, { accountUuid, name: 'first start', nowMs }).token : null;
      return { db, accountUuid, adminToken };
    });
  } catch (error) {
    db.close();
    throw error;
  }
}
