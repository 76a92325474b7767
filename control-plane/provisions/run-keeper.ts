import type { ServerContext } from '../context.ts';
import { timestampOf } from '../context.ts';
import type { AgentHub, CommandQueue, CommandStatus } from '../services.ts';
import { transaction } from '../store/open-database.ts';
import { advanceRun } from './advance-run.ts';
import { addServerHistory } from './provision-history.ts';
import { findRun, type StoredRun, saveRunState } from './provision-store.ts';
import { isTerminal, type RunInput, type RunState } from './run-state.ts';

/** What runs need of the rest of the server. Read when it is used, so that the parts may be made in any order. */
export interface RunDependencies {
  readonly hub: AgentHub;
  readonly commands: CommandQueue;
}

const endedCommands: ReadonlySet<CommandStatus> = new Set(['rejected', 'done', 'failed', 'canceled']);

/** Moves runs on: every change of a stored run goes through `apply`, with all that follows from it, in one transaction. */
export class RunKeeper {
  readonly #context: ServerContext;
  readonly #dependencies: RunDependencies;

  constructor(context: ServerContext, dependencies: RunDependencies) {
    this.#context = context;
    this.#dependencies = dependencies;
  }

  /** @returns The run's state afterwards, or null when there is no such run. */
  apply(runUuid: string, input: RunInput): RunState | null {
    const { db, clock, events } = this.#context;
    return transaction(db, () => {
      const run = findRun(db, runUuid);
      if (run === null) return null;
      const next = advanceRun(run.state, input, clock.now());
      if (next === run.state) return next;
      saveRunState(db, run.uuid, next);
      const isWord = input.type === 'accepted' && next.currentMessage !== run.state.currentMessage;
      if (next.status !== run.state.status || isWord) this.noteStatus(run.uuid, next);
      const hasLeft = next.bootingAtMs !== null && run.state.bootingAtMs === null;
      if (hasLeft || isTerminal(next.status)) this.#unmark(run.machineUuid);
      if (hasLeft) this.#endCommand(run.machineUuid, next, 'everything is on the disk');
      if (isTerminal(next.status)) this.#finish(run, next, input);
      events.publish({ type: 'provision', uuid: run.uuid, machineUuid: run.machineUuid });
      if (next.status !== run.state.status) events.publish({ type: 'machine', uuid: run.machineUuid });
      return next;
    });
  }

  /** Adds the present status to the run's history. */
  noteStatus(runUuid: string, state: RunState): void {
    const { db, clock } = this.#context;
    const entry = {
      status: state.status,
      step: state.currentStep,
      message: state.currentMessage,
      code: state.errorCode,
    };
    addServerHistory(db, runUuid, entry, timestampOf(clock));
  }

  /** Whether the machine may have seen the command: then it has to be told when its run is over. */
  wasSent(run: StoredRun): boolean {
    const uuid = run.state.commandUuid;
    const command = uuid === null ? null : this.#dependencies.commands.get(run.machineUuid, uuid);
    return command !== null && command.status !== 'queued' && command.status !== 'canceled';
  }

  #unmark(machineUuid: string): void {
    this.#context.db.prepare('UPDATE machines SET install_until = NULL WHERE uuid = ?').run(machineUuid);
  }

  #finish(run: StoredRun, ended: RunState, input: RunInput): void {
    const { db } = this.#context;
    if (ended.status === 'completed' || ended.status === 'degraded') {
      db.prepare('UPDATE machines SET was_installed = 1 WHERE uuid = ?').run(run.machineUuid);
    }
    if (ended.status === 'completed') {
      db.prepare('UPDATE machines SET needs_provisioning = 0 WHERE uuid = ? AND config_revision = ?').run(
        run.machineUuid,
        run.configRevision,
      );
    }
    // Nobody needs the secrets of a run that is over.
    db.prepare('UPDATE provisions SET user_data_sealed = NULL WHERE uuid = ?').run(run.uuid);
    this.#dropCommand(run, ended, input);
  }

  #dropCommand(run: StoredRun, ended: RunState, input: RunInput): void {
    const { commands } = this.#dependencies;
    const wasSent = this.wasSent(run);
    if (!this.#endCommand(run.machineUuid, ended, `the run has ended: ${ended.status}`)) return;
    const isOurDecision = input.type === 'time' || input.type === 'cancel';
    const isInstalling = wasSent && ended.bootingAtMs === null && ended.cancelRequestedAtMs === null;
    if (isOurDecision && isInstalling) {
      commands.enqueue(run.machineUuid, 'CancelProvision', { provision_uuid: run.uuid });
    }
  }

  /**
   * A command without an outcome would be delivered again with the next hello, and install once more.
   * @returns False when it had its outcome.
   */
  #endCommand(machineUuid: string, state: RunState, reason: string): boolean {
    const { commands } = this.#dependencies;
    const command = state.commandUuid === null ? null : commands.get(machineUuid, state.commandUuid);
    if (command === null || endedCommands.has(command.status)) return false;
    return commands.end(command.uuid, state.bootingAtMs === null ? 'canceled' : 'done', reason);
  }
}
