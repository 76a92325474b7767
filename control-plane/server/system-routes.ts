import { z } from 'zod';
import { buildInfo } from '../../core/base/build-info.ts';
import { defineRoute, type Route, StatusReply } from '../http/route.ts';
import { type DatabaseParts, databaseCheck } from './database-check.ts';
import type { RequestTracker } from './request-tracker.ts';
import type { ServerMetrics } from './server-metrics.ts';

const healthSchema = z.object({
  status: z.enum(['ok', 'draining', 'failed']),
  version: z.string(),
  database: z.enum(['ok', 'failed']),
});

export interface HealthParts extends DatabaseParts {
  readonly tracker: RequestTracker;
}

/** For load balancers and monitoring: 200, or 503 while the server stops or its database cannot be read or written. */
export function healthRoute({ tracker, ...parts }: HealthParts): Route {
  const isDatabaseWorking = databaseCheck(parts);
  return defineRoute({
    method: 'GET',
    path: '/healthz',
    operationId: 'system_health',
    tag: 'System',
    summary: 'Tell whether the server works',
    access: 'public',
    responses: { 200: healthSchema, 503: healthSchema },
    handle: () => {
      const database = isDatabaseWorking() ? 'ok' : 'failed';
      const status = database === 'failed' ? 'failed' : tracker.isDraining ? 'draining' : 'ok';
      return new StatusReply(status === 'ok' ? 200 : 503, { status, version: buildInfo().version, database });
    },
  });
}

/** For Prometheus; public, as its figures name nobody. */
export function metricsRoute({ registry }: ServerMetrics): Route {
  return defineRoute({
    method: 'GET',
    path: '/metrics',
    operationId: 'system_metrics',
    tag: 'System',
    summary: 'Give the figures of the server in the format of Prometheus',
    access: 'public',
    contentType: registry.contentType,
    responses: { 200: z.string() },
    handle: async () => await registry.metrics(),
  });
}
