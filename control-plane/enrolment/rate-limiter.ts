import type { Clock } from '../context.ts';

export interface RateLimit {
  /** How many at once. */
  readonly capacity: number;
  /** How many in the long run. */
  readonly perSecond: number;
  /** How many keys are remembered; the one that was asked about least recently is forgotten first. */
  readonly maxKeys: number;
}

/** What sums of fractions may lack of a whole, so that the wait that was named is enough. */
const rounding = 1e-6;

interface Level {
  left: number;
  atMs: number;
}

/** A token bucket per key (address, account), in bounded memory, so that no key's flood touches another. */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #limit: RateLimit;
  /** Least recently used first. */
  readonly #levels = new Map<string, Level>();

  constructor(clock: Clock, limit: RateLimit) {
    this.#clock = clock;
    this.#limit = limit;
  }

  /** How many keys are remembered. */
  get size(): number {
    return this.#levels.size;
  }

  /** Seconds until the key has one left, rounded up; 0 when it has. Takes nothing. */
  waitSeconds(key: string): number {
    const { left } = this.#levelOf(key);
    return left >= 1 - rounding ? 0 : Math.ceil((1 - rounding - left) / this.#limit.perSecond);
  }

  /** Takes one. @returns 0, or the seconds to wait when there was none to take. */
  take(key: string): number {
    const wait = this.waitSeconds(key);
    if (wait > 0) return wait;
    const level = this.#levelOf(key);
    level.left = Math.max(0, level.left - 1);
    this.#levels.set(key, level);
    const oldest = this.#levels.keys().next();
    if (this.#levels.size > this.#limit.maxKeys && oldest.done !== true) this.#levels.delete(oldest.value);
    return 0;
  }

  /** The key's level as of now; one that is remembered becomes the most recently used. */
  #levelOf(key: string): Level {
    const nowMs = this.#clock.now();
    const level = this.#levels.get(key);
    if (level === undefined) return { left: this.#limit.capacity, atMs: nowMs };
    // A clock that was set back gives nothing and takes nothing.
    const elapsedSeconds = Math.max(0, nowMs - level.atMs) / 1000;
    level.left = Math.min(this.#limit.capacity, level.left + elapsedSeconds * this.#limit.perSecond);
    level.atMs = nowMs;
    this.#levels.delete(key);
    this.#levels.set(key, level);
    return level;
  }
}
