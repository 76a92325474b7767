import type { IncomingMessage } from 'node:http';
import { buildInfo } from '../../core/base/build-info.ts';
import type { Logger } from '../../core/base/logger.ts';
import { allRoutes, type Services } from '../all-routes.ts';
import type { Clock, ServerContext } from '../context.ts';
import { openApiRoute } from '../http/openapi-route.ts';
import { EventBus } from '../live/event-bus.ts';
import { firmwareUrlOf, isFirmwareRoute } from './firmware-boot.ts';
import { makeServices, type ServerParts } from './make-services.ts';
import { type OpenDataDir, openDataDir, urlsOf } from './open-data-dir.ts';
import { readRegistryCa } from './read-registry-ca.ts';
import { renewCertificate } from './renew-certificate.ts';
import { RequestTracker } from './request-tracker.ts';
import { serveRoutes } from './serve-routes.ts';
import type { ServerSettings } from './settings.ts';
import { healthRoute, metricsRoute } from './system-routes.ts';
import { WebServer } from './web-server.ts';

export interface StartOptions {
  readonly log: Logger;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** How often it is looked for another certificate; default: an hour. */
  readonly certificateCheckMs?: number;
}

export interface RunningServer {
  readonly context: ServerContext;
  readonly services: Services;
  /** The port that the server listens on. */
  readonly port: number;
  /** The port of the listener for firmware, or null. */
  readonly httpBootPort: number | null;
  /** An API token when this start made the account; shown once, stored as a hash. */
  readonly adminToken: string | null;
  /** Finishes what runs, tells agents to come back later, and lets go of the data directory; within 5 s. */
  close(): Promise<void>;
}

/** How long running requests may take once the server is stopping. */
const drainMs = 3500;
const hourMs = 60 * 60 * 1000;

/**
 * Starts `durantic server` on a data directory, which is made when it is not there.
 * @throws ProvisionError `data_dir_unusable`, `data_dir_in_use`, `server_key_missing`, `server_key_invalid`,
 * `certificate_unusable`, `database_unusable`, `listen_failed`.
 */
export async function startServer(settings: ServerSettings, options: StartOptions): Promise<RunningServer> {
  await using undo = new AsyncDisposableStack();
  const clock = options.clock ?? { now: () => Date.now() };
  const data = await openDataDir(settings, clock, undo);
  const { log } = options;
  const web = undo.use(await WebServer.listen(settings.listen, data.identity, log));
  const boot = settings.httpBoot === null ? null : undo.use(await WebServer.listen(settings.httpBoot, null, log));
  const context = makeContext({ settings, data, web, boot, clock, log });
  const tracker = new RequestTracker(isEndless);
  const registries = { ca: readRegistryCa(settings.registryCaFile), connectTo: settings.registryAddresses };
  const parts = makeServices(context, registries);
  undo.defer(() => parts.close());
  parts.attachAgents(web.server);
  const health = healthRoute({ db: data.db, log, clock, tracker });
  const routes = allRoutes(context, parts.services);
  const served = { context, metrics: parts.metrics, tracker };
  const all = [...routes, health, metricsRoute(parts.metrics)];
  const document = openApiRoute(all, buildInfo().version);
  undo.use(await serveRoutes(web, { ...served, routes: [...all, document] }));
  if (boot !== null) {
    undo.use(await serveRoutes(boot, { ...served, routes: [...routes.filter(isFirmwareRoute), health] }));
  }
  undo.defer(keepCertificate(data, web, options));
  return running({ context, parts, web, boot, tracker, adminToken: data.adminToken, opened: undo.move() });
}

interface Started {
  readonly context: ServerContext;
  readonly parts: ServerParts;
  readonly web: WebServer;
  readonly boot: WebServer | null;
  readonly tracker: RequestTracker;
  readonly adminToken: string | null;
  /** Everything that is open, to be closed in reverse order. */
  readonly opened: AsyncDisposableStack;
}

function running({ context, parts, web, boot, tracker, adminToken, opened }: Started): RunningServer {
  const close = async (): Promise<void> => {
    const ended = Promise.all([web.close(), boot?.close(), parts.leave()]);
    const isDone = await tracker.drain(drainMs);
    if (!isDone) context.log.warn({ running: tracker.runningCount }, 'requests that take too long are cut off');
    web.cut();
    boot?.cut();
    await parts.close();
    await ended;
    // What the last requests gave to others to write is written in the next turn.
    await new Promise((resolve) => setImmediate(resolve));
    await opened.disposeAsync();
  };
  let closing: Promise<void> | undefined;
  return {
    context,
    services: parts.services,
    port: web.port,
    httpBootPort: boot?.port ?? null,
    adminToken,
    close: async () => {
      closing ??= close();
      await closing;
    },
  };
}

/** Streams of events go on until one side ends them. */
function isEndless({ url }: IncomingMessage): boolean {
  return /^\/api\/events\/?(\?|$)/.test(url ?? '');
}

interface ContextParts {
  readonly settings: ServerSettings;
  readonly data: OpenDataDir;
  readonly web: WebServer;
  readonly boot: WebServer | null;
  readonly clock: Clock;
  readonly log: Logger;
}

function makeContext({ settings, data, web, boot, clock, log }: ContextParts): ServerContext {
  const publicUrls = urlsOf(settings, web.port);
  const { httpBoot } = settings;
  const bootListen = boot === null || httpBoot === null ? null : { ...httpBoot, port: boot.port };
  return {
    db: data.db,
    log,
    clock,
    sealer: data.sealer,
    events: new EventBus(),
    accountUuid: data.accountUuid,
    publicUrls,
    // A given certificate may come back with another key while the server runs.
    get pin() {
      return data.identity?.pin ?? null;
    },
    get caCertificate() {
      return data.identity?.caCertificate ?? null;
    },
    get leafPin() {
      return data.identity?.leafPin ?? null;
    },
    httpBootUrl: bootListen === null ? null : firmwareUrlOf({ listen: bootListen, publicUrls }),
    assetsDir: settings.assetsDir,
    dataDir: data.dataDir,
  };
}

/** @returns A function that ends it. */
function keepCertificate(data: OpenDataDir, web: WebServer, options: StartOptions): () => void {
  return renewCertificate({
    intervalMs: options.certificateCheckMs ?? hourMs,
    log: options.log,
    current: () => data.identity,
    load: data.loadIdentity,
    use: (identity) => {
      web.setCertificate(identity);
      data.identity = identity;
    },
  });
}
