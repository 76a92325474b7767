import { randomBytes } from 'node:crypto';
import type { Clock, ServerContext } from '../../control-plane/context.ts';
import { EventBus } from '../../control-plane/live/event-bus.ts';
import { ensureAccount } from '../../control-plane/store/ensure-account.ts';
import { openDatabase } from '../../control-plane/store/open-database.ts';
import { Sealer } from '../../control-plane/store/sealer.ts';
import { silentLogger } from '../../core/base/logger.ts';
import type { Resources } from '../resources.ts';

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;

  constructor(nowMs = Date.parse('2026-11-20T12:00:00Z')) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  /** Time passes; a negative one sets the clock back. */
  advance(milliseconds: number): void {
    this.#nowMs += milliseconds;
    this.#monotonicMs += Math.max(0, milliseconds);
  }

  /** Somebody sets the clock, or the machine was suspended meanwhile. */
  step(milliseconds: number): void {
    this.#nowMs += milliseconds;
  }
}

/** A server's context on a real database in memory (or in the given file), for tests of one part without sockets. */
export function testContext(resources: Resources, overrides: Partial<ServerContext> = {}): ServerContext {
  const dataDir = resources.tempDir();
  const db = overrides.db ?? openDatabase(':memory:');
  resources.defer('close the database', () => {
    if (db.isOpen) db.close();
  });
  const clock = overrides.clock ?? { now: () => Date.now() };
  return {
    db,
    log: silentLogger,
    clock,
    sealer: new Sealer(randomBytes(32)),
    events: new EventBus(),
    accountUuid: ensureAccount(db, clock.now()),
    publicUrls: ['https://server.test:8443'],
    pin: `sha256:${'0'.repeat(64)}`,
    caCertificate: null,
    leafPin: null,
    httpBootUrl: null,
    assetsDir: null,
    dataDir,
    ...overrides,
  };
}

/** Time passes as a server sees it that looks every 30 s: no more of it than that between two ticks. */
export async function passTime(clock: FakeClock, milliseconds: number, tick: () => Promise<void>): Promise<void> {
  for (let leftMs = milliseconds; leftMs > 0; leftMs -= 30_000) {
    clock.advance(Math.min(leftMs, 30_000));
    await tick();
  }
}
