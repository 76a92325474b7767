import { randomUUID } from 'node:crypto';
import { CommandDesk, type CommandEvent } from '../../../../agent/commands/command-desk.ts';
import { CommandLedger } from '../../../../agent/commands/command-ledger.ts';
import type { CommandHandlers, CommandResult } from '../../../../agent/commands/command-table.ts';
import { Outbox } from '../../../../agent/link/outbox.ts';
import type { ProvisionError } from '../../../../core/base/errors.ts';

export interface Desk {
  readonly desk: CommandDesk;
  readonly outbox: Outbox;
  readonly ledger: CommandLedger;
  readonly events: CommandEvent[];
  /** `state reason` of each reply to a command, in order. */
  replies(commandUuid: string): string[];
}

export function open(
  handlers: CommandHandlers,
  options: { path?: string | null; bootId?: string; outbox?: Outbox } = {},
): Desk {
  const events: CommandEvent[] = [];
  const onEvent = (event: CommandEvent): void => void events.push(event);
  const outbox = options.outbox ?? new Outbox({ bootId: options.bootId ?? 'boot-1' });
  const onProblem = (error: ProvisionError): void => onEvent({ kind: 'problem', message: error.message });
  const ledger = new CommandLedger({ path: options.path ?? null, onProblem });
  const desk = new CommandDesk({ handlers, ledger, outbox, onEvent });
  const replies = (uuid: string): string[] =>
    [...outbox.unsent(Symbol('all'))].flatMap(({ frame }) =>
      frame.type === 'command_reply' && frame.command_uuid === uuid ? [`${frame.state} ${frame.reason}`] : [],
    );
  return { desk, outbox, ledger, events, replies };
}

let counter = 0;
export function command(kind: string, args: unknown = {}, issuedAt?: string) {
  counter += 1;
  const issued_at = issuedAt ?? new Date(Date.parse('2026-11-20T12:00:00Z') + counter * 1000).toISOString();
  return { command_uuid: randomUUID(), kind, args, issued_at };
}

/** A handler that runs until the test lets it end. */
export function pausable() {
  const started: AbortSignal[] = [];
  let finish: (result: CommandResult) => void = () => undefined;
  const run = async (_args: unknown, { signal }: { signal: AbortSignal }): Promise<CommandResult> => {
    started.push(signal);
    return await new Promise((resolve, reject) => {
      finish = resolve;
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  };
  return { run, started, finish: (result: CommandResult = { state: 'done', reason: null }) => finish(result) };
}
