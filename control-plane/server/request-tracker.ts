import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

/** The requests that are being answered, so that a server that stops can wait for them. */
export class RequestTracker {
  readonly #running = new Map<ServerResponse, IncomingMessage>();
  #idle: (() => void) | undefined;
  #isDraining = false;

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
   * Waits for the running requests; streams of events, which have no end of their own, are ended at once.
   * @returns False when some still ran after `timeoutMs`.
   */
  async drain(timeoutMs: number): Promise<boolean> {
    this.#isDraining = true;
    for (const [response, request] of this.#running) {
      if (isEventStream(request, response)) response.end();
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

function isEventStream(request: IncomingMessage, response: ServerResponse): boolean {
  const type = response.getHeader('content-type') ?? request.headers.accept;
  return response.headersSent && String(type).startsWith('text/event-stream');
}
