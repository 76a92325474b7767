import { z } from 'zod';
import { type AgentFrame, type AgentFrameType, agentFrames } from '../../protocol/agent-frames.ts';
import type { NumberedFrame } from '../services.ts';
import type { AgentConnection } from './agent-connection.ts';
import { frameJob } from './frame-job.ts';
import { inventoryJob } from './inventory-job.ts';

/** A frame as it came: parsed JSON, and its text. */
export interface ReceivedFrame {
  readonly frame: object;
  readonly text: string;
}

/** Checks a frame of an agent that has said hello, and hands it to what handles its type. */
export function handleAgentFrame(connection: AgentConnection, received: ReceivedFrame): void {
  const { frame, text } = received;
  const type: unknown = 'type' in frame ? frame.type : undefined;
  if (typeof type !== 'string' || !isFrameType(type)) {
    connection.refuse(typeof type === 'string' ? type : '', 'frames of this type are not known here');
    return;
  }
  const parsed = agentFrames[type].safeParse(frame);
  if (parsed.success) {
    // The handler of a type takes what the schema of that type gives.
    const handle = handlers[type] as (connection: AgentConnection, frame: AgentFrame, text: string) => void;
    handle(connection, parsed.data, text);
    return;
  }
  const issue = parsed.error.issues[0];
  const problem = `${issue?.path.map(String).join('.')}: ${issue?.message}`;
  connection.refuse(type, problem);
  const number = numberSchema.safeParse(frame);
  if (isNumbered(type) && number.success) {
    connection.services.commits.submit(frameJob(connection, { number: number.data, text, frame: undefined, problem }));
  }
}

const handlers: {
  readonly [K in AgentFrameType]: (connection: AgentConnection, frame: AgentFrame<K>, text: string) => void;
} = {
  heartbeat: (connection) => {
    if (connection.machineUuid !== undefined) connection.services.lastSeen.touch(connection.machineUuid);
  },
  inventory: (connection, { inventory }, text) => {
    connection.services.commits.submit(inventoryJob(connection, inventory, text.length * 2));
  },
  pong: (connection, { nonce }) => connection.onPong(nonce),
  provision_event: submit,
  provision_result: submit,
  command_reply: submit,
  log: submit,
  cloud_init_result: submit,
};

function submit(connection: AgentConnection, frame: NumberedFrame, text: string): void {
  connection.services.commits.submit(frameJob(connection, { number: frame, text, frame }));
}

const numberSchema = z.object({ boot_id: agentFrames.log.shape.boot_id, seq: agentFrames.log.shape.seq });

function isFrameType(type: string): type is AgentFrameType {
  return Object.hasOwn(agentFrames, type);
}

function isNumbered(type: AgentFrameType): boolean {
  return 'seq' in agentFrames[type].shape;
}
