import { describeError } from '../../core/base/describe-error.ts';
import { getApproval } from '../enrolment/approvals.ts';
import { ApiError } from '../http/api-error.ts';
import { describeMachine, type MachineSource, onlineForMs } from '../machines/describe-machine.ts';
import { describeProvision } from '../provisions/describe-provision.ts';
import { text } from '../store/row-values.ts';
import type { LiveEvent } from './event-bus.ts';

/** Whoever watches: takes one message of the stream. Must not throw. */
export type LiveSubscriber = (message: string) => void;

/** Changes within this time are told once. */
const flushEveryMs = 100;
/** Descriptions made at a time, so that a busy rack leaves the server time for its agents. */
const mostPerFlush = 100;
/** No more is written at a time: what a reader could not have read yet must not look like its slowness. */
const mostCharactersPerFlush = 1024 * 1024;
/** How often it is looked for machines that are not heard of any more. */
const offlineSweepMs = 1000;

/**
 * Turns what has changed into messages of `GET /api/events`: the present representation of each object, made once for
 * all subscribers, after the transaction that changed it. Between two messages about an object only its newest state
 * counts, so that what waits is bounded by the number of objects. Nothing runs while nobody watches.
 */
export class LiveFeed {
  readonly #source: MachineSource;
  readonly #subscribers = new Set<LiveSubscriber>();
  readonly #pending = new Map<string, LiveEvent>();
  readonly #online = new Set<string>();
  #flushTimer: NodeJS.Timeout | undefined;
  #sweepTimer: NodeJS.Timeout | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(source: MachineSource) {
    this.#source = source;
  }

  get subscriberCount(): number {
    return this.#subscribers.size;
  }

  /** @returns A function that ends the subscription. */
  subscribe(subscriber: LiveSubscriber): () => void {
    this.#subscribers.add(subscriber);
    if (this.#unsubscribe === undefined) this.#start();
    return () => {
      this.#subscribers.delete(subscriber);
      if (this.#subscribers.size === 0) this.#stop();
    };
  }

  #start(): void {
    const { db, clock, events } = this.#source.context;
    for (const row of db.prepare('SELECT uuid FROM machines').all()) {
      const uuid = text(row, 'uuid');
      if (this.#isOnline(uuid, clock.now())) this.#online.add(uuid);
    }
    this.#unsubscribe = events.subscribe((event) => this.#note(event));
    this.#sweepTimer = setInterval(() => this.#sweep(), offlineSweepMs).unref();
  }

  #stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    clearInterval(this.#sweepTimer);
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    this.#pending.clear();
    this.#online.clear();
  }

  #note(event: LiveEvent): void {
    this.#pending.set(`${event.type}/${event.uuid}`, event);
    this.#flushTimer ??= setTimeout(() => this.#flush(), flushEveryMs).unref();
  }

  #flush(): void {
    this.#flushTimer = undefined;
    let rest = mostPerFlush;
    let written = 0;
    for (const [key, event] of this.#pending) {
      if (rest === 0 || written > mostCharactersPerFlush) break;
      rest -= 1;
      this.#pending.delete(key);
      const message = this.#messageOf(event);
      if (message === null) continue;
      written += message.length;
      for (const subscriber of this.#subscribers) subscriber(message);
    }
    if (this.#pending.size > 0) this.#flushTimer ??= setTimeout(() => this.#flush(), flushEveryMs).unref();
  }

  /** Nobody says that a machine went silent: its silence has to be noticed. */
  #sweep(): void {
    const nowMs = this.#source.context.clock.now();
    for (const uuid of this.#online) {
      if (this.#isOnline(uuid, nowMs)) continue;
      this.#online.delete(uuid);
      this.#note({ type: 'machine', uuid });
    }
  }

  #isOnline(uuid: string, nowMs: number): boolean {
    const seenMs = this.#source.hub.lastSeenAt(uuid);
    return seenMs !== null && nowMs - seenMs < onlineForMs;
  }

  /** Null when it is gone since: its deletion has a message of its own. */
  #messageOf(event: LiveEvent): string | null {
    try {
      const data = this.#dataOf(event);
      return data === null ? null : liveMessage(event.type, data);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return null;
      this.#source.context.log.error({ type: event.type, error: describeError(error) }, 'a change could not be told');
      return null;
    }
  }

  #dataOf(event: LiveEvent): object | null {
    const { context } = this.#source;
    switch (event.type) {
      case 'machine': {
        const machine = describeMachine(this.#source, event.uuid);
        if (machine.is_online) this.#online.add(event.uuid);
        return machine;
      }
      case 'provision':
        return describeProvision(context, event.machineUuid, event.uuid);
      case 'machine_deleted':
        this.#online.delete(event.uuid);
        return { uuid: event.uuid };
      case 'approval':
        return context.db.prepare('SELECT 1 FROM approvals WHERE uuid = ?').get(event.uuid) === undefined
          ? null
          : getApproval(context.db, event.uuid);
    }
  }
}

/** One message of the stream (WHATWG HTML, "Server-sent events"). JSON has no line breaks of its own. */
export function liveMessage(type: string, data: object): string {
  return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}
