import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

/** The requests that are being answered, so that a server that stops can wait for them. */
export class RequestTracker {
  readonly #running = new Map<ServerResponse, IncomingMessage>();
  readonly #isEndless: (request: IncomingMessage) => boolean;
  #idle: (() => void) | undefined;
  #isDraining = false;

  /** @param isEndless True for a request whose answer only ends when one side ends it. */
  constructor(isEndless: (request: IncomingMessage) => boolean) {
    this.#isEndless = isEndless;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Number of requests that wait for the end of their answer. */
  get runningCount(): number {
    return this.#running.size;
  }

  track(handler: RequestListener): RequestListener {
    return (request, response) => {
      this.#running.set(response, request);
      response.once('close', () => {
        this.#running.delete(response);
        if (this.#running.size === 0) this.#idle?.();
      });
      if (this.#isDraining) response.setHeader('connection', 'close');
      handler(request, response);
    };
  }

  /**
   * Waits for the running requests; endless ones are ended at once.
   * @returns False when some still ran after `timeoutMs`.
   */
  async drain(timeoutMs: number): Promise<boolean> {
    this.#isDraining = true;
    for (const [response, request] of this.#running) {
      if (this.#isEndless(request)) response.end();
      else if (!response.headersSent) response.setHeader('connection', 'close');
    }
    if (this.#running.size === 0) return true;
    return await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      this.#idle = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}
