import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import type { ServerContext } from '../context.ts';
import { ApiError } from '../http/api-error.ts';
import { alreadyReplied, defineRoute, type Route } from '../http/route.ts';
import type { AgentHub } from '../services.ts';
import { LiveFeed, liveMessage } from './live-feed.ts';

/** Connections that may watch at the same time. */
const mostSubscribers = 100;
/** What may wait for one reader, several flushes; who falls behind further is cut off and connects anew. */
const mostWaitingBytes = 4 * 1024 * 1024;
/** Shorter than the idle time of any proxy. */
const defaultHeartbeatMs = 15_000;
const reconnectAfterMs = 3000;

export interface LiveOptions {
  /** How often a comment is sent, so that neither side takes the connection for dead. */
  readonly heartbeatMs?: number;
}

/** The stream of what changes. */
export function liveRoutes(
  context: ServerContext,
  services: { readonly hub: AgentHub },
  options: LiveOptions = {},
): Route[] {
  const feed = new LiveFeed({ context, hub: services.hub });
  return [
    defineRoute({
      method: 'GET',
      path: '/api/events',
      operationId: 'live_api_stream_events',
      tag: 'Live',
      summary:
        'Stream changes as server-sent events: `ready`, then `machine`, `machine_deleted`, `provision`, `approval` with the present representation',
      access: 'api',
      contentType: 'text/event-stream',
      responses: { 200: z.string() },
      errors: [503],
      handle: ({ reply }) => {
        if (feed.subscriberCount >= mostSubscribers) {
          throw new ApiError(503, 'too many connections watch already', { retryAfterSeconds: 60 });
        }
        reply.hijack();
        stream(reply.raw, feed, options.heartbeatMs ?? defaultHeartbeatMs);
        return alreadyReplied;
      },
    }),
  ];
}

function stream(response: ServerResponse, feed: LiveFeed, heartbeatMs: number): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // nginx would collect the stream otherwise.
    'x-accel-buffering': 'no',
  });
  const send = (message: string): void => {
    if (response.writableEnded || response.destroyed) return;
    if (response.writableLength > mostWaitingBytes) response.destroy();
    else response.write(message);
  };
  const unsubscribe = feed.subscribe(send);
  const heartbeat = setInterval(() => send(': still here\n\n'), heartbeatMs).unref();
  response.once('close', () => {
    unsubscribe();
    clearInterval(heartbeat);
  });
  response.on('error', () => {});
  // Whoever reads the lists after this message misses nothing.
  send(`retry: ${reconnectAfterMs}\n${liveMessage('ready', {})}`);
}
