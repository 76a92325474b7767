import { randomUUID } from 'node:crypto';
import type { SQLOutputValue } from 'node:sqlite';
import { ProvisionError } from '../../core/base/errors.ts';
import type { AgentFrame } from '../../protocol/agent-frames.ts';
import { type CommandKind, isCommandKind } from '../../protocol/commands.ts';
import type { ServerContext } from '../context.ts';
import type { AgentFrameListener, CommandQueue, CommandStatus, StoredArgs, StoredCommand } from '../services.ts';
import { transaction } from '../store/open-database.ts';

export type CommandOutcome = Extract<CommandStatus, 'rejected' | 'done' | 'failed' | 'canceled'>;

/** Ended commands that are kept per machine. */
const keptCommands = 500;

const openStatuses = `('queued', 'sent', 'accepted')`;

export interface StoredCommandQueueOptions {
  /** Read at each use: may still be empty when the queue is made. */
  readonly listeners: readonly AgentFrameListener[];
  /** There may be something to send to the machine; called inside the transaction. */
  readonly onDue: (machineUuid: string) => void;
}

/**
 * Commands in the table `commands`: queued → sent → accepted → done | failed, or rejected, or canceled. The first final
 * state is the outcome; what a machine says later is counted and changes nothing.
 */
export class StoredCommandQueue implements CommandQueue {
  readonly #context: ServerContext;
  readonly #options: StoredCommandQueueOptions;

  constructor(context: ServerContext, options: StoredCommandQueueOptions) {
    this.#context = context;
    this.#options = options;
  }

  enqueue<K extends CommandKind>(machineUuid: string, kind: K, args: StoredArgs<K>): StoredCommand {
    const { db } = this.#context;
    return transaction(db, () => {
      const uuid = randomUUID();
      db.prepare(
        `INSERT INTO commands (uuid, machine_uuid, kind, args, status, created_at) VALUES (?, ?, ?, ?, 'queued', ?)`,
      ).run(uuid, machineUuid, kind, JSON.stringify(args), this.#nextIssueTime(machineUuid));
      db.prepare(
        `DELETE FROM commands WHERE machine_uuid = ?1 AND status NOT IN ${openStatuses} AND id <=
         (SELECT id FROM commands WHERE machine_uuid = ?1 ORDER BY id DESC LIMIT 1 OFFSET ${keptCommands})`,
      ).run(machineUuid);
      this.#options.onDue(machineUuid);
      return this.#require(uuid);
    });
  }

  get(machineUuid: string, commandUuid: string): StoredCommand | null {
    const command = this.#find(commandUuid);
    return command?.machineUuid === machineUuid ? command : null;
  }

  list(machineUuid: string): StoredCommand[] {
    return this.#context.db
      .prepare('SELECT * FROM commands WHERE machine_uuid = ? ORDER BY id DESC')
      .all(machineUuid)
      .map(toCommand);
  }

  /** Without an outcome, in the order of giving. */
  listOpen(machineUuid: string): StoredCommand[] {
    return this.#context.db
      .prepare(`SELECT * FROM commands WHERE machine_uuid = ? AND status IN ${openStatuses} ORDER BY id`)
      .all(machineUuid)
      .map(toCommand);
  }

  cancel(commandUuid: string, reason: string): boolean {
    return this.end(commandUuid, 'canceled', reason);
  }

  /** Gives a command its outcome; false when it has one already or does not exist. */
  end(commandUuid: string, outcome: CommandOutcome, reason: string | null): boolean {
    const { db } = this.#context;
    return transaction(db, () => {
      const { changes } = db
        .prepare(
          `UPDATE commands SET status = ?, reason = ?, finished_at = ? WHERE uuid = ? AND status IN ${openStatuses}`,
        )
        .run(outcome, reason, this.#now(), commandUuid);
      if (changes === 0) return false;
      const command = this.#require(commandUuid);
      for (const listener of this.#options.listeners) listener.commandEnded?.(command);
      this.#context.events.publish({ type: 'machine', uuid: command.machineUuid });
      // What waited for it.
      if (command.kind === 'CancelProvision') this.#options.onDue(command.machineUuid);
      return true;
    });
  }

  /** Inside a transaction: the command is about to be written to the machine's socket. */
  markSent(commandUuid: string): void {
    this.#context.db
      .prepare(
        `UPDATE commands SET sent_at = COALESCE(sent_at, ?), status = CASE status WHEN 'queued' THEN 'sent' ELSE status END
         WHERE uuid = ?`,
      )
      .run(this.#now(), commandUuid);
  }

  /** Inside a transaction: what the machine said to a command. */
  applyReply(
    machineUuid: string,
    reply: Pick<AgentFrame<'command_reply'>, 'boot_id' | 'command_uuid' | 'state' | 'reason'>,
  ): void {
    const { db, log } = this.#context;
    const command = this.get(machineUuid, reply.command_uuid);
    if (command === null) {
      log.warn(
        { machine_uuid: machineUuid, command_uuid: reply.command_uuid },
        'a reply to a command that is not known',
      );
      return;
    }
    const isOpen = command.finishedAt === null;
    if (reply.state === 'accepted' && isOpen) {
      // Said again with what is being done; a mere repetition does not take that away.
      const reason = reply.reason ?? (command.status === 'accepted' ? command.reason : null);
      const isRepeated = command.status === 'accepted' && command.acceptedBootId === reply.boot_id;
      if (isRepeated && reason === command.reason) return;
      db.prepare(`UPDATE commands SET status = 'accepted', reason = ?, accepted_boot_id = ? WHERE uuid = ?`).run(
        reason,
        reply.boot_id,
        command.uuid,
      );
      this.#context.events.publish({ type: 'machine', uuid: machineUuid });
    } else if (reply.state !== 'accepted' && this.end(command.uuid, reply.state, reply.reason)) {
      log.debug({ machine_uuid: machineUuid, command_uuid: command.uuid, outcome: reply.state }, 'a command has ended');
    } else if (command.finishedAt !== null) {
      db.prepare('UPDATE commands SET ignored_replies = ignored_replies + 1 WHERE uuid = ?').run(command.uuid);
    }
  }

  /** Later than the machine's last command, whatever the clock says. */
  #nextIssueTime(machineUuid: string): string {
    const row = this.#context.db
      .prepare('SELECT created_at FROM commands WHERE machine_uuid = ? ORDER BY id DESC LIMIT 1')
      .get(machineUuid);
    const lastMs = row === undefined ? 0 : Date.parse(String(row['created_at']));
    return new Date(Math.max(this.#context.clock.now(), lastMs + 1)).toISOString();
  }

  #find(commandUuid: string): StoredCommand | undefined {
    const row = this.#context.db.prepare('SELECT * FROM commands WHERE uuid = ?').get(commandUuid);
    return row === undefined ? undefined : toCommand(row);
  }

  #require(commandUuid: string): StoredCommand {
    const command = this.#find(commandUuid);
    if (command === undefined) throw new ProvisionError('invariant', `command ${commandUuid} is not stored`);
    return command;
  }

  #now(): string {
    return new Date(this.#context.clock.now()).toISOString();
  }
}

function toCommand(row: Record<string, SQLOutputValue>): StoredCommand {
  const kind = String(row['kind']);
  if (!isCommandKind(kind)) throw new ProvisionError('invariant', `a command of kind ${kind} is stored`);
  return {
    uuid: String(row['uuid']),
    machineUuid: String(row['machine_uuid']),
    kind,
    args: JSON.parse(String(row['args'])),
    // The table's CHECK names the same states.
    status: String(row['status']) as CommandStatus,
    acceptedBootId: textOrNull(row['accepted_boot_id']),
    reason: textOrNull(row['reason']),
    createdAt: String(row['created_at']),
    sentAt: textOrNull(row['sent_at']),
    finishedAt: textOrNull(row['finished_at']),
  };
}

function textOrNull(value: SQLOutputValue | undefined): string | null {
  return typeof value === 'string' ? value : null;
}
