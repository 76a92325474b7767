import { close, constants, openSync, writeSync } from 'node:fs';
import { errnoOf } from '../../core/base/errors.ts';

const retryMs = 100;
/** Of what has not been taken yet; a serial line of 115,200 baud takes this in three seconds. */
const longestQueueBytes = 32 * 1024;

/** Writes to a console without ever waiting for it. */
export interface ConsoleWriter extends Disposable {
  /** @returns false when the text was dropped, because the console has not taken what came before. */
  write(text: string): boolean;
  /** True while something waits to be taken. */
  readonly isBehind: boolean;
}

/**
 * A console may stop taking characters for ever (flow control, Scroll Lock, a BMC that hangs): what does not fit into the
 * queue is dropped whole, never in part, and the installer goes on. A console that gives errors is given up.
 * @throws Error of the system when the console cannot be opened.
 */
export function openConsoleWriter(path: string): ConsoleWriter {
  return new QueuedWriter(openSync(path, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK));
}

class QueuedWriter implements ConsoleWriter {
  readonly #fd: number;
  #queue = Buffer.alloc(0);
  #timer: NodeJS.Timeout | null = null;
  #isDead = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  get isBehind(): boolean {
    return this.#queue.length > 0;
  }

  write(text: string): boolean {
    const bytes = Buffer.from(text, 'latin1');
    if (this.#isDead || this.#queue.length + bytes.length > longestQueueBytes) return false;
    this.#queue = this.#queue.length === 0 ? bytes : Buffer.concat([this.#queue, bytes]);
    if (this.#timer === null) this.#flush();
    return true;
  }

  #flush(): void {
    this.#timer = null;
    try {
      while (this.#queue.length > 0) {
        const taken = writeSync(this.#fd, this.#queue);
        // A VT that is stopped takes nothing and gives no error.
        if (taken === 0) break;
        this.#queue = this.#queue.subarray(taken);
      }
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN' && errnoOf(error) !== 'EINTR') {
        this.#isDead = true;
        this.#queue = Buffer.alloc(0);
      }
    }
    if (this.#queue.length > 0) this.#timer = setTimeout(() => this.#flush(), retryMs).unref();
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#isDead = true;
    // The last close of a serial line waits for what its chip still holds, up to 30 s: not in this thread.
    close(this.#fd, () => undefined);
  }
}
