import { describeError } from '../../core/base/describe-error.ts';
import { type Hello, maxFrameBytes } from '../../protocol/agent-frames.ts';
import type { CommandKind } from '../../protocol/commands.ts';
import type { ServerContext } from '../context.ts';
import type { ProvisionArgsBuilder, StoredCommand } from '../services.ts';
import type { StoredCommandQueue } from './command-queue.ts';

export interface DeliveryOptions {
  readonly context: ServerContext;
  readonly queue: StoredCommandQueue;
  /** Read at each use. */
  readonly source: { readonly buildProvisionArgs: ProvisionArgsBuilder };
  readonly machineUuid: string;
  /**
   * The hello that has just come: then also what was sent or accepted before is sent, as commands are idempotent by their
   * UUID. Null: a live connection gets what is new.
   */
  readonly hello: Pick<Hello, 'boot_id' | 'mode'> | null;
}

export interface Delivery {
  readonly frames: readonly string[];
  /** Something waits for the outcome of a CancelProvision. */
  readonly isHolding: boolean;
}

/** They do not wait for an installation that is being stopped; an agent rejects all others as long as it runs. */
const besideOthers: ReadonlySet<CommandKind> = new Set(['CancelProvision', 'CollectLogs']);

/**
 * Inside a transaction: marks the machine's commands as sent and gives their frames, in the order of giving. A run that
 * is gone cancels its command; arguments that cannot be made or do not fit into a frame fail it; what the hello proves is
 * done. What was given after a CancelProvision is held back until that has its outcome.
 */
export function prepareCommands({ context, queue, source, machineUuid, hello }: DeliveryOptions): Delivery {
  const frames: string[] = [];
  let isStopping = false;
  let isHolding = false;
  for (const command of queue.listOpen(machineUuid)) {
    const proof = hello === null ? null : proofOf(command, hello);
    if (proof !== null) {
      // What the machine said last, such as the way that it takes, stays readable.
      queue.end(command.uuid, 'done', command.reason === null ? proof : `${command.reason}; ${proof}`);
      continue;
    }
    const isHeld = command.status === 'queued' && isStopping && !besideOthers.has(command.kind);
    isHolding ||= isHeld;
    isStopping ||= command.kind === 'CancelProvision';
    if (isHeld || (hello === null && command.status !== 'queued')) continue;
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
  return { frames, isHolding };
}

/**
 * What the hello of another boot than the one that accepted the command says about it: null where nothing, so that the
 * command is sent again. The system that is there now need not have the memory of the one that accepted: an installer from
 * network or ISO would carry it out a second time.
 */
function proofOf({ kind, acceptedBootId }: StoredCommand, hello: Pick<Hello, 'boot_id' | 'mode'>): string | null {
  if (acceptedBootId === null || acceptedBootId === hello.boot_id) return null;
  if (kind === 'Reboot' || kind === 'PowerOff') return 'the machine has been started anew';
  if (kind === 'EnterInstaller' && hello.mode === 'installer') return 'the machine is in the installer';
  // Only an installer accepts it.
  if (kind === 'BootInstalledSystem' && hello.mode === 'installed') return 'the machine is in its installed system';
  return null;
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
