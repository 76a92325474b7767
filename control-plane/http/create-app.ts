import type { RequestListener, Server } from 'node:http';
import {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
  fastify,
} from 'fastify';
import { describeError, stackOf } from '../../core/base/describe-error.ts';
import type { Logger } from '../../core/base/logger.ts';
import { ApiError } from './api-error.ts';

export interface CreateAppOptions {
  readonly log: Logger;
  /** Gives the server that the application works on, which its owner listens on and closes; absent: for `inject`. */
  readonly attach?: (handler: RequestListener) => Server;
}

/** Largest body of a request, bytes: a role's template with room to spare. */
const bodyLimitBytes = 1024 * 1024;

/** The web application without routes: limits, both slash forms, errors as `{"detail": …}`. */
export function createApp({ log, attach }: CreateAppOptions): FastifyInstance {
  const options: FastifyServerOptions = {
    logger: false,
    bodyLimit: bodyLimitBytes,
    // An address that cannot be decoded (`%ff`) never reaches a route or the error handler.
    frameworkErrors: (error: Error, _request: FastifyRequest, reply: FastifyReply) => {
      reply.code(400).send({ detail: error.message });
    },
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 512 },
    ...(attach === undefined ? {} : { serverFactory: attach }),
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
