import type { ProvisionError } from '../../core/base/errors.ts';
import type { RunningCommand } from './command-table.ts';

type Job = Pick<RunningCommand, 'commandUuid' | 'kind' | 'args'> & {
  readonly group: string | null;
  readonly work: (signal: AbortSignal) => Promise<void>;
};

interface Running {
  readonly job: Job;
  readonly controller: AbortController;
  ended: Promise<void>;
}

/**
 * Runs commands. Invariants: of one group at most one runs; a job is in the list from `start` until its work has settled;
 * `work` never rejects; `stop` aborts everything and returns when nothing runs any more.
 */
export class ExclusiveRunner {
  readonly #running = new Map<string, Running>();

  /** What runs in a group, or null. */
  inGroup(group: string): RunningCommand | null {
    for (const { job, controller, ended } of this.#running.values()) {
      if (job.group !== group) continue;
      const { commandUuid, kind, args } = job;
      const abort = async (reason: ProvisionError): Promise<void> => {
        controller.abort(reason);
        await ended;
      };
      return { commandUuid, kind, args, abort };
    }
    return null;
  }

  has(commandUuid: string): boolean {
    return this.#running.has(commandUuid);
  }

  /** Starts a job whose group is free. */
  start(job: Job): void {
    const controller = new AbortController();
    const running: Running = { job, controller, ended: Promise.resolve() };
    this.#running.set(job.commandUuid, running);
    running.ended = job.work(controller.signal).finally(() => this.#running.delete(job.commandUuid));
  }

  async stop(reason: ProvisionError): Promise<void> {
    const all = [...this.#running.values()];
    for (const { controller } of all) controller.abort(reason);
    await Promise.all(all.map(({ ended }) => ended));
  }
}
