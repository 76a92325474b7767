import { describeError } from '../../core/base/describe-error.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import type { ServerFrame } from '../../protocol/agent-frames.ts';
import { type CommandArgs, type CommandKind, commandArgs, isCommandKind } from '../../protocol/commands.ts';
import type { Outbox } from '../link/outbox.ts';
import type { CommandLedger, LedgerEntry } from './command-ledger.ts';
import {
  type CommandContext,
  type CommandHandler,
  type CommandHandlers,
  type CommandOutcome,
  type CommandResult,
  commandGroups,
} from './command-table.ts';
import { ExclusiveRunner } from './exclusive-runner.ts';

/** What happens to commands, for logs and screens. Arguments are never in it: they may be secrets. */
export type CommandEvent =
  | { readonly kind: 'command_received'; readonly commandUuid: string; readonly command: string }
  | {
      readonly kind: 'command_ended';
      readonly commandUuid: string;
      readonly command: string;
      readonly state: 'rejected' | 'done' | 'failed';
      readonly reason: string | null;
    }
  | { readonly kind: 'problem'; readonly message: string };

export interface CommandDeskOptions {
  readonly handlers: CommandHandlers;
  readonly ledger: CommandLedger;
  readonly outbox: Outbox;
  readonly onEvent: (event: CommandEvent) => void;
}

type CommandFrame = Pick<ServerFrame<'command'>, 'command_uuid' | 'kind' | 'issued_at' | 'args'>;

/**
 * Takes commands in, at least once delivered and once applied: what is in the ledger gets its answer again, what is
 * unknown, wrong, older than one already taken, or in the way of a running one is rejected with the reason, and the rest
 * is noted, accepted and run.
 */
export class CommandDesk {
  readonly #options: CommandDeskOptions;
  readonly #runner = new ExclusiveRunner();
  /** Taken by an earlier run of the agent, and to be run when they are delivered again. */
  readonly #again = new Set<string>();
  #isStopping = false;

  /** Decides what became of commands that an earlier run of the agent left without an outcome. */
  constructor(options: CommandDeskOptions) {
    this.#options = options;
    for (const entry of options.ledger.open()) this.#settle(entry);
  }

  /** Takes one command of the server; never throws. */
  take(frame: CommandFrame): void {
    const { ledger } = this.#options;
    if (this.#isStopping) return;
    const known = ledger.get(frame.command_uuid);
    if (known !== undefined && !this.#again.has(known.command_uuid)) {
      this.#reply(known);
      return;
    }
    this.#options.onEvent({ kind: 'command_received', commandUuid: frame.command_uuid, command: nameOf(frame.kind) });
    const checked = this.#check(frame, known);
    if ('refusal' in checked) this.#reject(frame, checked.refusal);
    else this.#accept(frame, checked);
  }

  /** Aborts what runs and waits for its end. What it was doing is decided at the next start. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#runner.stop(new ProvisionError('aborted', 'the agent stops'));
  }

  #check(frame: CommandFrame, known: LedgerEntry | undefined): Checked | { readonly refusal: string } {
    const { kind } = frame;
    if (!isCommandKind(kind)) return { refusal: `this agent knows no command ${nameOf(kind)}` };
    const args = commandArgs[kind].safeParse(frame.args);
    if (!args.success) {
      const issue = args.error.issues[0];
      const where = issue?.path.join('.') || 'args';
      return { refusal: `the arguments of ${kind} are not valid: ${where}: ${issue?.message ?? 'wrong'}` };
    }
    const handler = this.#options.handlers[kind];
    if ('rejectedBecause' in handler) return { refusal: handler.rejectedBecause };
    const group = commandGroups[kind];
    const newest = group === null ? null : this.#options.ledger.newestOf(group);
    if (known === undefined && newest !== null && Date.parse(frame.issued_at) < Date.parse(newest)) {
      return { refusal: `superseded: a command that was given later (${newest}) was taken before` };
    }
    const busy = group === null ? null : this.#runner.inGroup(group);
    if (busy !== null) return { refusal: `busy: ${busy.kind} (${busy.commandUuid}) is running` };
    // Kind, arguments and handler belong together: all three come from this kind's row.
    const fitting = handler as CommandHandler<CommandKind>;
    const refusal = fitting.refusal?.(args.data) ?? null;
    return refusal === null ? { kind, args: args.data, handler: fitting, group } : { refusal };
  }

  #reject(frame: CommandFrame, reason: string): void {
    const entry = this.#entryOf(frame, 'rejected', reason);
    try {
      this.#options.ledger.note(entry, null);
    } catch (error) {
      this.#problem(error);
    }
    this.#ended(entry);
  }

  #accept(frame: CommandFrame, { kind, args, handler, group }: Checked): void {
    const entry = this.#entryOf(frame, 'accepted', null);
    try {
      this.#options.ledger.note(entry, group);
    } catch (error) {
      // What could not be remembered might be done twice: better not at all.
      this.#problem(error);
      this.#ended({
        ...entry,
        state: 'rejected',
        reason: `the agent cannot note the command: ${describeError(error)}`,
      });
      return;
    }
    this.#again.delete(entry.command_uuid);
    this.#reply(entry);
    const commandUuid = entry.command_uuid;
    this.#runner.start({
      commandUuid,
      kind,
      args,
      group,
      work: async (signal) => await this.#run(entry, { handler, args, signal }),
    });
  }

  async #run(
    entry: LedgerEntry,
    { handler, args, signal }: Pick<Checked, 'handler' | 'args'> & { signal: AbortSignal },
  ): Promise<void> {
    let result: CommandResult;
    try {
      result = await handler.run(args, this.#contextOf(entry.command_uuid, signal));
    } catch (error) {
      // Ended with the agent: its next start says what became of it.
      if (this.#isStopping && signal.aborted) return;
      result = { state: 'failed', reason: reasonOf(error) };
    }
    if (result.state === 'left') return;
    this.#conclude(entry, result);
    await this.#finish(result.afterwards);
  }

  /** The outcome stands; what goes wrong now can only be told. */
  async #finish(afterwards: (() => Promise<void>) | undefined): Promise<void> {
    try {
      await afterwards?.();
    } catch (error) {
      if (!this.#isStopping) this.#problem(error);
    }
  }

  #contextOf(commandUuid: string, signal: AbortSignal): CommandContext {
    const { outbox } = this.#options;
    return {
      commandUuid,
      signal,
      report: (report) => void outbox.add(report),
      // An `accepted` that is said again with a reason: older servers take it for a repetition.
      progress: (reason) =>
        void outbox.add({
          type: 'command_reply',
          command_uuid: commandUuid,
          state: 'accepted',
          reason: clipped(reason),
        }),
      flush: async (timeoutMs) => await outbox.flush(timeoutMs, signal),
      running: (group) => this.#runner.inGroup(group),
    };
  }

  #settle(entry: LedgerEntry): void {
    const handler = isCommandKind(entry.kind) ? this.#options.handlers[entry.kind] : undefined;
    const isOtherBoot = entry.boot_id !== this.#options.outbox.bootId;
    const result = handler?.afterRestart?.({ commandUuid: entry.command_uuid, isOtherBoot }) ?? {
      state: 'failed' as const,
      reason: `the agent ended while it carried out ${nameOf(entry.kind)}`,
    };
    if (result === 'again') this.#again.add(entry.command_uuid);
    else this.#conclude(entry, result);
  }

  #conclude(entry: LedgerEntry, { state, reason }: CommandOutcome): void {
    this.#options.ledger.end(entry.command_uuid, state, reason);
    this.#ended({ ...entry, state, reason });
  }

  #ended(entry: LedgerEntry): void {
    const { command_uuid: commandUuid, kind, state, reason } = entry;
    if (state !== 'accepted') {
      this.#options.onEvent({ kind: 'command_ended', commandUuid, command: nameOf(kind), state, reason });
    }
    this.#reply(entry);
  }

  #reply({ command_uuid, state, reason }: LedgerEntry): void {
    this.#options.outbox.add({ type: 'command_reply', command_uuid, state, reason: clipped(reason) });
  }

  #entryOf(frame: CommandFrame, state: LedgerEntry['state'], reason: string | null): LedgerEntry {
    const { command_uuid, issued_at } = frame;
    const boot_id = this.#options.outbox.bootId;
    return { command_uuid, kind: nameOf(frame.kind), issued_at, boot_id, state, reason };
  }

  #problem(error: unknown): void {
    this.#options.onEvent({ kind: 'problem', message: describeError(error) });
  }
}

interface Checked {
  readonly kind: CommandKind;
  readonly args: CommandArgs<CommandKind>;
  readonly handler: CommandHandler<CommandKind>;
  readonly group: string | null;
}

/** A name from the wire, fit for a log line. */
function nameOf(kind: string): string {
  return /^\w{1,64}$/.test(kind) ? kind : 'of that name';
}

/** The schema of replies takes no more. */
function clipped(reason: string | null): string | null {
  return reason === null ? null : reason.slice(0, 4096);
}

function reasonOf(error: unknown): string {
  const code = error instanceof ProvisionError ? ` [${error.code}]` : '';
  return `${describeError(error)}${code}`;
}
