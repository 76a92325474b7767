import type { ApiClient } from '../api-client/create-api-client.ts';
import type { ServerSentEvent } from '../api-client/parse-events.ts';
import { ProvisionError } from '../base/errors.ts';

/** What a watcher is told: a change, that the stream is there (read everything anew), or that it is not. */
export type LiveNews =
  | { readonly kind: 'event'; readonly event: ServerSentEvent }
  /** Sent at the start of every stream: who reads the lists after it misses nothing. */
  | { readonly kind: 'connected' }
  /** There is no stream (any more); it is tried again. */
  | { readonly kind: 'lost'; readonly error: ProvisionError }
  /** Nothing was said for a while; where there is no stream, a moment to ask. */
  | { readonly kind: 'tick'; readonly isLive: boolean };

export interface LiveEventsOptions {
  readonly signal: AbortSignal;
  /** How often `tick` comes. */
  readonly tickMs: number;
  /** How long after a stream's end the next is tried. */
  readonly reconnectMs: number;
}

/**
 * `GET /api/events` for as long as the signal allows, through restarts of the server. What cannot get better by waiting
 * (a refused token, an unreadable answer) is thrown.
 * @throws ProvisionError
 */
export async function* liveEvents(api: ApiClient, options: LiveEventsOptions): AsyncGenerator<LiveNews> {
  const { signal, tickMs, reconnectMs } = options;
  while (!signal.aborted) {
    const stop = new AbortController();
    const stream = api.events('/api/events', AbortSignal.any([signal, stop.signal]));
    let isLive = false;
    let next = stream.next();
    next.catch(() => {});
    try {
      for (;;) {
        const news = await firstOf(next, tickMs, signal);
        if (signal.aborted) return;
        if (news === 'tick') {
          yield { kind: 'tick', isLive };
          continue;
        }
        if (news.done === true) throw ended();
        if (news.value.type === 'ready') {
          isLive = true;
          yield { kind: 'connected' };
        } else yield { kind: 'event', event: news.value };
        next = stream.next();
        next.catch(() => {});
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ProvisionError) || !error.retryable) throw error;
      yield { kind: 'lost', error };
    } finally {
      stop.abort();
      await stream.return(undefined).catch(() => {});
    }
    yield* ticksFor(reconnectMs, options);
  }
}

async function* ticksFor(totalMs: number, { tickMs, signal }: LiveEventsOptions): AsyncGenerator<LiveNews> {
  for (let passedMs = 0; passedMs < totalMs && !signal.aborted; passedMs += tickMs) {
    await pause(Math.min(tickMs, totalMs - passedMs), signal);
    if (!signal.aborted) yield { kind: 'tick', isLive: false };
  }
}

function ended(): ProvisionError {
  return new ProvisionError('server_unreachable', 'the server has ended the stream of events');
}

async function firstOf<T>(next: Promise<T>, tickMs: number, signal: AbortSignal): Promise<T | 'tick'> {
  const timer = new AbortController();
  try {
    const tick = pause(tickMs, AbortSignal.any([signal, timer.signal])).then(() => 'tick' as const);
    return await Promise.race([next, tick]);
  } finally {
    timer.abort();
  }
}

/** Waits; an aborted signal ends the wait without an error. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done, { once: true });
  });
}
