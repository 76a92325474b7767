import type { Clock } from '../context.ts';

/** Counts what may pass: `capacity` at once, `perSecond` in the long run. */
export class TokenBucket {
  readonly #capacity: number;
  readonly #perSecond: number;
  readonly #clock: Clock;
  #level: number;
  #filledAtMs: number;

  constructor(clock: Clock, { capacity, perSecond }: { capacity: number; perSecond: number }) {
    this.#clock = clock;
    this.#capacity = capacity;
    this.#perSecond = perSecond;
    this.#level = capacity;
    this.#filledAtMs = clock.now();
  }

  /** False when there is not enough left; nothing is taken then. */
  take(amount: number): boolean {
    const nowMs = this.#clock.now();
    // A clock that was set back gives nothing and takes nothing.
    const elapsedSeconds = Math.max(0, nowMs - this.#filledAtMs) / 1000;
    this.#filledAtMs = nowMs;
    this.#level = Math.min(this.#capacity, this.#level + elapsedSeconds * this.#perSecond);
    if (amount > this.#level) return false;
    this.#level -= amount;
    return true;
  }
}
