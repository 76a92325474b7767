import { type FastifyError, type FastifyInstance, type FastifyServerOptions, fastify } from 'fastify';
import { describeError, stackOf } from '../../core/base/describe-error.ts';
import type { Logger } from '../../core/base/logger.ts';
import { ApiError } from './api-error.ts';

export interface CreateAppOptions {
  readonly log: Logger;
  /** PEM; absent for plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** Largest body of a request, bytes: a role's template with room to spare. */
const bodyLimitBytes = 1024 * 1024;

/** The web application without routes: limits, both slash forms, errors as `{"detail": …}`. */
export function createApp({ log, tls }: CreateAppOptions): FastifyInstance {
  const options: FastifyServerOptions = {
    logger: false,
    bodyLimit: bodyLimitBytes,
    requestTimeout: 60_000,
    keepAliveTimeout: 75_000,
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 512 },
    ...(tls === undefined ? {} : { https: { ...tls, minVersion: 'TLSv1.2' } }),
  };
  const app: FastifyInstance = fastify(options);
  app.setNotFoundHandler((_request, reply) => {
    reply.code(404).send({ detail: 'there is nothing at this address' });
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof ApiError) {
      if (error.retryAfterSeconds !== undefined) reply.header('retry-after', error.retryAfterSeconds);
      if (error.status === 401) reply.header('www-authenticate', 'Bearer');
      return reply.code(error.status).send({ detail: error.problems ?? error.message });
    }
    const status = error.statusCode;
    // What fastify itself refuses: JSON that is none, a body that is too large, an unknown media type.
    if (status !== undefined && status >= 400 && status < 500) {
      return reply.code(status === 415 ? 400 : status).send({ detail: error.message });
    }
    log.error(
      { method: request.method, path: request.routeOptions.url, error: describeError(error), stack: stackOf(error) },
      'a request failed because of a defect of durantic',
    );
    return reply.code(500).send({ detail: 'the server failed; its log says why' });
  });
  return app;
}
