import type { RequestListener } from 'node:http';
import type { ServerContext } from '../context.ts';
import { createApp } from '../http/create-app.ts';
import { registerRoutes } from '../http/register-routes.ts';
import type { Route } from '../http/route.ts';
import { authenticateApi } from './authenticate-api.ts';
import { observeRequests } from './observe-requests.ts';
import type { RequestTracker } from './request-tracker.ts';
import type { ServerMetrics } from './server-metrics.ts';
import type { WebServer } from './web-server.ts';

export interface ServeOptions {
  readonly context: ServerContext;
  readonly metrics: ServerMetrics;
  readonly tracker: RequestTracker;
  readonly routes: readonly Route[];
}

/** Makes the application of a socket and lets it answer, once all of it is there. */
export async function serveRoutes(web: WebServer, options: ServeOptions): Promise<AsyncDisposable> {
  const { context, metrics, tracker, routes } = options;
  const handlers: RequestListener[] = [];
  const app = createApp({
    log: context.log,
    attach: (handler) => {
      handlers.push(tracker.track(handler));
      return web.server;
    },
  });
  observeRequests(app, { log: context.log, metrics });
  registerRoutes(app, routes, { authenticate: authenticateApi(context), publicAccountUuid: context.accountUuid });
  await app.ready();
  for (const handler of handlers) web.serve(handler);
  return {
    [Symbol.asyncDispose]: async () => {
      await app.close();
    },
  };
}
