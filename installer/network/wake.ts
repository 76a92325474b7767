/** Lets one loop sleep until something has changed. A ring while nobody sleeps is kept for the next sleep. */
export class Wake {
  #isRung = false;
  #resolve: (() => void) | null = null;

  ring(): void {
    this.#isRung = true;
    this.#resolve?.();
  }

  /** Returns after a ring, after `longestMs`, or when the signal is aborted; throws nothing. */
  async sleep(longestMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#isRung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, longestMs);
        function done(): void {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          resolve();
        }
        this.#resolve = done;
        signal.addEventListener('abort', done, { once: true });
      });
      this.#resolve = null;
    }
    this.#isRung = false;
  }
}
