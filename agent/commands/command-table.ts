import type { ProvisionError } from '../../core/base/errors.ts';
import type { CommandArgs, CommandKind } from '../../protocol/commands.ts';
import type { Report } from '../link/outbox-frames.ts';

/**
 * Commands that exclude each other: of one group one runs at a time, and one that was given before another that was
 * already taken is refused. Null: goes through at any time.
 */
export const commandGroups = {
  ProvisionMachine: 'system',
  EnterInstaller: 'system',
  BootInstalledSystem: 'system',
  UpdateAgent: 'system',
  Reboot: 'system',
  PowerOff: 'system',
  CollectLogs: 'logs',
  CancelProvision: null,
} as const satisfies Record<CommandKind, string | null>;

/** A command that runs now. */
export interface RunningCommand {
  readonly commandUuid: string;
  readonly kind: CommandKind;
  readonly args: unknown;
  /** Aborts it with a reason and returns when it has ended. */
  abort(reason: ProvisionError): Promise<void>;
}

export interface CommandContext {
  readonly commandUuid: string;
  /** Aborted by CancelProvision and when the agent stops. */
  readonly signal: AbortSignal;
  /** Sends a frame by way of the outbox. */
  report(report: Report): void;
  /** Tells what is being done, for as long as the command has no outcome. */
  progress(message: string): void;
  /** Waits until the server has everything; false when that took too long. */
  flush(timeoutMs: number): Promise<boolean>;
  /** What runs in a group, or null. */
  running(group: 'system' | 'logs'): RunningCommand | null;
}

export interface CommandOutcome {
  readonly state: 'done' | 'failed';
  readonly reason: string | null;
}

/**
 * How a command ended. `left`: it is decided by what the agent finds when it starts again (after a reboot, say), by
 * `afterRestart`.
 */
export type CommandResult =
  | (CommandOutcome & {
      /**
       * What is left to do once the outcome is noted and on its way: leaving the machine, say. Nothing else of its group
       * runs until it has ended.
       */
      readonly afterwards?: () => Promise<void>;
    })
  | { readonly state: 'left' };

export interface RestartFacts {
  readonly commandUuid: string;
  /** The machine was started anew since the command was taken. */
  readonly isOtherBoot: boolean;
}

export interface CommandHandler<K extends CommandKind> {
  /** Why it is not done on this machine as it is now, before anything is begun; null when nothing speaks against it. */
  refusal?(args: CommandArgs<K>): string | null;
  /** Throws when it fails: code and message become the reason. */
  run(args: CommandArgs<K>, context: CommandContext): Promise<CommandResult>;
  /**
   * What to make of a command that was taken and has no outcome when the agent starts: its outcome, or `again` to run it
   * when the server delivers it again. Without this it has failed.
   */
  afterRestart?(facts: RestartFacts): CommandOutcome | 'again';
}

/** A command that is not done in this mode. */
export interface RejectedCommand {
  readonly rejectedBecause: string;
  /** Where the system before took it, and its outcome is what this one finds. */
  readonly afterRestart?: CommandHandler<CommandKind>['afterRestart'];
}

/** Every command has a handler, or the reason why it is not done in this mode: a new kind compiles with one only. */
export type CommandHandlers = {
  readonly [K in CommandKind]: CommandHandler<K> | RejectedCommand;
};
