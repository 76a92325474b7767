import { describeError } from '../../core/base/describe-error.ts';
import { maxFrameBytes } from '../../protocol/agent-frames.ts';
import type { ServerContext } from '../context.ts';
import type { ProvisionArgsBuilder, StoredCommand } from '../services.ts';
import type { StoredCommandQueue } from './command-queue.ts';

export interface DeliveryOptions {
  readonly context: ServerContext;
  readonly queue: StoredCommandQueue;
  /** Read at each use. */
  readonly source: { readonly buildProvisionArgs: ProvisionArgsBuilder };
  readonly machineUuid: string;
  /** After a hello: also what was sent or accepted before. Commands are idempotent by their UUID. */
  readonly isResend: boolean;
}

/**
 * Inside a transaction: marks the machine's commands as sent and gives their frames, in the order of giving. A run that
 * is gone cancels its command; arguments that cannot be made or do not fit into a frame fail it.
 */
export function prepareCommands({ context, queue, source, machineUuid, isResend }: DeliveryOptions): string[] {
  const frames: string[] = [];
  for (const command of queue.listOpen(machineUuid)) {
    if (!isResend && command.status !== 'queued') continue;
    const args = argsToSend(context, source.buildProvisionArgs, command);
    if ('outcome' in args) {
      queue.end(command.uuid, args.outcome, args.reason);
      continue;
    }
    const text = JSON.stringify({
      type: 'command',
      command_uuid: command.uuid,
      kind: command.kind,
      issued_at: command.createdAt,
      args: args.value,
    });
    if (Buffer.byteLength(text) > maxFrameBytes) {
      queue.end(command.uuid, 'failed', `the command is larger than ${maxFrameBytes} bytes and cannot be sent`);
      continue;
    }
    queue.markSent(command.uuid);
    frames.push(text);
  }
  return frames;
}

type ArgsToSend = { readonly value: unknown } | { readonly outcome: 'canceled' | 'failed'; readonly reason: string };

function argsToSend(context: ServerContext, build: ProvisionArgsBuilder, command: StoredCommand): ArgsToSend {
  if (command.kind !== 'ProvisionMachine') return { value: command.args };
  const { provision_uuid: provisionUuid } = command.args as { provision_uuid: string };
  try {
    const value = build(provisionUuid);
    return value === null
      ? { outcome: 'canceled', reason: 'there is nothing to install any more for its run' }
      : { value };
  } catch (error) {
    const facts = { command_uuid: command.uuid, provision_uuid: provisionUuid, error: describeError(error) };
    context.log.error(facts, 'the arguments of a ProvisionMachine could not be made');
    return { outcome: 'failed', reason: 'the server could not make the arguments of this command; its log says why' };
  }
}
