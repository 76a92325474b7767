import type { StoredCommandQueue } from './command-queue.ts';
import type { GroupCommit } from './group-commit.ts';

export interface HeldCommandsOptions {
  readonly queue: StoredCommandQueue;
  readonly commits: GroupCommit;
  /** How long a machine that is connected may keep the others waiting, milliseconds. */
  readonly patienceMs: number;
}

/**
 * Connected machines whose commands wait for the outcome of a CancelProvision. Nothing waits for ever: a machine that
 * does not say in time what became of it has that command taken back, and gets the others.
 */
export class HeldCommands {
  readonly #options: HeldCommandsOptions;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(options: HeldCommandsOptions) {
    this.#options = options;
  }

  /** Whether something waits now; false also when the machine is gone, whose next hello sends the CancelProvision again. */
  set(machineUuid: string, isHolding: boolean): void {
    const timer = this.#timers.get(machineUuid);
    if (isHolding === (timer !== undefined)) return;
    if (isHolding) {
      this.#timers.set(
        machineUuid,
        setTimeout(() => this.#giveUp(machineUuid), this.#options.patienceMs),
      );
    } else {
      clearTimeout(timer);
      this.#timers.delete(machineUuid);
    }
  }

  #giveUp(machineUuid: string): void {
    this.#timers.delete(machineUuid);
    const { commits, patienceMs, queue } = this.#options;
    const reason = `the machine has not said within ${Math.round(patienceMs / 1000)} s what became of it`;
    commits.submit({
      sizeBytes: 64,
      // Each end has the rest looked at anew.
      apply: () => {
        for (const { kind, uuid } of queue.listOpen(machineUuid)) {
          if (kind === 'CancelProvision') queue.cancel(uuid, reason);
        }
      },
      committed: () => undefined,
      // The next delivery finds them held back again.
      failed: () => undefined,
    });
  }
}
