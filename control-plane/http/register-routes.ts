import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { ProvisionError } from '../../core/base/errors.ts';
import { ApiError } from './api-error.ts';
import { alreadyReplied, type Route, StatusReply } from './route.ts';

export interface RegisterOptions {
  /** The account of the request's API token. @throws ApiError 401. */
  readonly authenticate: (request: FastifyRequest) => string;
  /** The account that public routes work for. */
  readonly publicAccountUuid: string;
}

/** Serves every route, with and without a trailing slash (the application ignores it; nothing is redirected). */
export function registerRoutes(app: FastifyInstance, routes: readonly Route[], options: RegisterOptions): void {
  for (const route of routes) {
    app.route({
      method: route.method,
      url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      handler: async (request, reply) => await answer(route, request, reply, options),
    });
  }
}

async function answer(
  route: Route,
  request: FastifyRequest,
  reply: FastifyReply,
  options: RegisterOptions,
): Promise<unknown> {
  const accountUuid = route.access === 'api' ? options.authenticate(request) : options.publicAccountUuid;
  const result = await route.handle({
    params: parse(route.params, request.params, 'path'),
    query: parse(route.query, request.query, 'query'),
    body: parse(route.body, request.body ?? (route.body === undefined ? undefined : {}), 'body'),
    accountUuid,
    address: request.ip,
    raw: request,
    reply,
  });
  if (result === alreadyReplied) return reply;
  const status = result instanceof StatusReply ? result.status : Number(Object.keys(route.responses)[0]);
  const schema = route.responses[status];
  if (schema === undefined) throw new ProvisionError('invariant', `${route.operationId} answered ${status}`);
  reply.code(status);
  if (schema === null) return reply.send();
  const value = result instanceof StatusReply ? result.body : result;
  const checked = schema.safeParse(value);
  if (!checked.success) {
    throw new ProvisionError('invariant', `${route.operationId} answered what its schema does not allow`, {
      cause: checked.error,
    });
  }
  return reply.type(route.contentType ?? 'application/json; charset=utf-8').send(checked.data);
}

function parse(schema: z.ZodType | undefined, value: unknown, where: 'path' | 'query' | 'body'): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  // A UUID that is none names nothing: for the caller that is the same as one that was deleted.
  if (where === 'path') throw new ApiError(404, 'there is nothing at this address');
  const problems = result.error.issues.map(({ path, message, code }) => ({
    loc: [where, ...path.map((part) => (typeof part === 'number' ? part : String(part)))],
    msg: message,
    type: code,
  }));
  throw new ApiError(422, problems[0]?.msg ?? 'the request is not valid', { problems });
}
