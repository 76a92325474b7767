import { describeError } from '../../core/base/describe-error.ts';
import { closeCodes } from '../../protocol/agent-frames.ts';
import { timestampOf } from '../context.ts';
import type { NumberedFrame } from '../services.ts';
import type { AgentConnection } from './agent-connection.ts';
import { storeLog } from './agent-logs.ts';
import type { AgentServices } from './agent-services.ts';
import { storeDeadLetter } from './dead-letters.ts';
import type { CommitJob } from './group-commit.ts';
import { acknowledgedSeq, writeReceipt } from './receipts.ts';

/** What identifies a numbered frame of a machine. */
export interface FrameNumber {
  readonly boot_id: string;
  readonly seq: number;
}

export interface FrameJobInput {
  readonly number: FrameNumber;
  /** JSON text as it came. */
  readonly text: string;
  /** Undefined: its fields are wrong, `problem` says which. */
  readonly frame: NumberedFrame | undefined;
  readonly problem?: string;
}

/**
 * Stores a numbered frame with its receipt, once: what is at or below the receipt is acknowledged again and not
 * applied. A frame that a listener cannot take, and one with wrong fields, is kept as a dead letter and acknowledged.
 */
export function frameJob(connection: AgentConnection, { number, text, frame, problem }: FrameJobInput): CommitJob {
  const { services, machineUuid = '' } = connection;
  const { db, clock } = services.context;
  const { boot_id: bootId, seq } = number;
  let acknowledged: number | undefined;
  /** False: there is nothing to store. */
  const isNew = (): boolean => {
    acknowledged = undefined;
    if (!connection.isAccepted) return false;
    if (db.prepare('SELECT 1 FROM machines WHERE uuid = ?').get(machineUuid) === undefined) return false;
    const receipt = acknowledgedSeq(db, machineUuid, bootId);
    acknowledged = Math.max(receipt, seq);
    return seq > receipt;
  };
  const bury = (error: string): void => {
    const time = timestampOf(clock);
    storeDeadLetter(db, { machineUuid, bootId, seq, time, error, frame: text });
    writeReceipt(db, { machineUuid, bootId, seq, time });
  };
  return {
    sizeBytes: text.length * 2,
    apply: () => {
      if (!isNew()) return;
      if (frame === undefined) return bury(problem ?? 'its fields are wrong');
      applyFrame(services, machineUuid, frame);
      writeReceipt(db, { machineUuid, bootId, seq, time: timestampOf(clock) });
    },
    recover: (error) => {
      if (isNew()) bury(describeError(error));
    },
    committed: () => {
      if (acknowledged === undefined) connection.close(closeCodes.unknown_machine, 'this machine is not known here');
      else connection.acknowledge(bootId, acknowledged);
    },
    failed: () => connection.close(closeCodes.failed, 'the server could not store what was sent'),
  };
}

/** The server's own part first, then the listeners in their order. */
function applyFrame(services: AgentServices, machineUuid: string, frame: NumberedFrame): void {
  if (frame.type === 'log') {
    storeLog(services.context.db, machineUuid, { ...frame, receivedAt: timestampOf(services.context.clock) });
  } else if (frame.type === 'command_reply') {
    services.queue.applyReply(machineUuid, frame);
  }
  for (const listener of services.source.listeners) listener.frame?.(machineUuid, frame);
}
