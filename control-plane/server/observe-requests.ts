import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../../core/base/logger.ts';
import type { ServerMetrics } from './server-metrics.ts';

/** Asked again and again by machines and monitoring: only at level debug, unless something is wrong. */
const quietRoutes = new Set(['/healthz', '/metrics', '/api/agent/approvals/:approval_id', '/api/agent/ca']);

export interface Observers {
  readonly log: Logger;
  readonly metrics: ServerMetrics;
}

/**
 * One line and one observation per request. The line has the route's pattern instead of the path, since paths carry
 * secrets (`approval_id`) and so do query strings; headers and bodies are not logged at all.
 */
export function observeRequests(app: FastifyInstance, { log, metrics }: Observers): void {
  app.addHook('onResponse', async (request, reply) => {
    const { method } = request;
    const route = request.routeOptions.url ?? 'none';
    const seconds = reply.elapsedTime / 1000;
    metrics.observeRequest({ method: knownMethod(method), route, status: reply.statusCode, seconds });
    const isQuiet = quietRoutes.has(route) && reply.statusCode < 400;
    log[isQuiet ? 'debug' : 'info'](lineOf(request, reply, route), 'request');
  });
}

function lineOf(request: FastifyRequest, reply: FastifyReply, route: string): object {
  const { uuid } = (request.params ?? {}) as { uuid?: unknown };
  return {
    method: request.method,
    route,
    ...(typeof uuid === 'string' && /^[\da-f-]{36}$/i.test(uuid) ? { uuid } : {}),
    status: reply.statusCode,
    duration_ms: Math.round(reply.elapsedTime * 10) / 10,
    address: request.ip,
  };
}

/** A caller may invent methods; labels must stay few. */
function knownMethod(method: string): string {
  return ['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS'].includes(method) ? method : 'other';
}
