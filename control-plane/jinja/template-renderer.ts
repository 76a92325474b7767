import type { Worker } from 'node:worker_threads';
import { ProvisionError } from '../../core/base/errors.ts';
import { startWorker } from '../../core/base/start-worker.ts';
import type { TemplateContext } from './render-template.ts';
import { TemplateError } from './template-error.ts';
import type { TemplateJob, TemplateReply, TemplateWorkerData } from './template-worker.ts';

export interface TemplateRendererOptions {
  /** Longest time that one template may take. */
  readonly timeLimitMs?: number;
  /** JavaScript heap of the worker. */
  readonly memoryLimitMiB?: number;
}

/** Longest wait for a new worker; it takes well under a second on an idle machine. */
const startLimitMs = 60_000;

interface RunningWorker {
  readonly worker: Worker;
  readonly line: Int32Array;
  /** Settles when the worker listens. */
  readonly ready: Promise<unknown>;
}

/**
 * Renders templates one after the other in a thread of its own, where they can reach nothing and use only so much time
 * and memory. The thread is kept for the next template; one that overran is ended and replaced.
 */
export class TemplateRenderer {
  readonly #timeLimitMs: number;
  readonly #memoryLimitMiB: number;
  #running: RunningWorker | null = null;
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: TemplateRendererOptions = {}) {
    this.#timeLimitMs = options.timeLimitMs ?? 2000;
    this.#memoryLimitMiB = options.memoryLimitMiB ?? 64;
  }

  /** @throws TemplateError with the line of the fault, also for a template that overran time or memory. */
  render(template: string, context: TemplateContext): Promise<string> {
    const job: TemplateJob = { template, contextJson: JSON.stringify(context) };
    const result = this.#last.then(() => this.#run(job));
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Ends the worker; what is being rendered fails as `aborted`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running?.worker.terminate();
    await this.#last;
  }

  async #run(job: TemplateJob): Promise<string> {
    if (this.#isClosed) throw new ProvisionError('aborted', 'the server is stopping');
    this.#running ??= this.#start();
    const running = this.#running;
    try {
      await within(startLimitMs, running.ready);
      running.line[0] = 0;
      const reply = nextReply(running.worker);
      running.worker.postMessage(job);
      return textOf(await within(this.#timeLimitMs, reply));
    } catch (error) {
      if (error instanceof TemplateError) throw error;
      this.#running = null;
      await running.worker.terminate();
      throw this.#explain(error, running.line[0] ?? 0);
    }
  }

  #start(): RunningWorker {
    const shared = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    const workerData: TemplateWorkerData = { line: shared };
    const worker = startWorker('template-worker', {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: this.#memoryLimitMiB, maxYoungGenerationSizeMb: 8, stackSizeMb: 4 },
    });
    // A failure shows in the promise of whoever waits; between two templates nobody does.
    worker.on('error', () => undefined);
    worker.once('exit', () => {
      if (this.#running?.worker === worker) this.#running = null;
    });
    const ready = nextReply(worker);
    ready.catch(() => undefined);
    return { worker, line: new Int32Array(shared), ready };
  }

  #explain(error: unknown, line: number): Error {
    const place = line === 0 ? null : line;
    if (this.#isClosed) return new ProvisionError('aborted', 'the server is stopping');
    if (error instanceof TimeLimitError && line !== 0) {
      return new TemplateError(place, `the template took longer than ${this.#timeLimitMs / 1000} s and was ended`);
    }
    if (error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
      return new TemplateError(place, `the template needed more than ${this.#memoryLimitMiB} MiB and was ended`);
    }
    return new ProvisionError('invariant', 'the thread that renders templates failed', { cause: error });
  }
}

class TimeLimitError extends Error {}

function textOf(reply: TemplateReply): string {
  if (reply.kind === 'rendered') return reply.text;
  if (reply.kind === 'fault') throw new TemplateError(reply.line, reply.message);
  throw new Error(reply.kind === 'bug' ? reply.message : 'the worker answered out of turn');
}

/** The worker's next message; rejects when it ends instead. */
function nextReply(worker: Worker): Promise<TemplateReply> {
  const { promise, resolve, reject } = Promise.withResolvers<TemplateReply>();
  const ended = (code: number): void => reject(new Error(`the worker ended with code ${code}`));
  worker.once('message', resolve);
  worker.once('error', reject);
  worker.once('exit', ended);
  const forget = (): void => {
    worker.off('message', resolve);
    worker.off('error', reject);
    worker.off('exit', ended);
  };
  promise.then(forget, forget);
  return promise;
}

async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new TimeLimitError(`no answer within ${limitMs} ms`)), limitMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}
