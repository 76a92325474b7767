import { z } from 'zod';
import { inventorySchema } from './inventory.ts';
import { provisionEventSchema } from './provision-event.ts';

/** The version of this page of messages; a server refuses any other with close code 4426. */
export const protocolVersion = 1;

/** Largest frame in either direction, bytes. */
export const maxFrameBytes = 1024 * 1024;

const modeSchema = z.enum(['installer', 'installed']);
const bootId = z.string().min(1).max(64);
const seq = z.int().positive();

/**
 * Fields of frames that are kept until the server acknowledges them: `seq` counts per `boot_id` from 1 and grows; a gap
 * is progress that was dropped when the outbox was full. The server keys on machine, boot_id and seq.
 */
const numbered = { boot_id: bootId, seq };

/** How a whole installation ended, as the agent saw it; the last event in other words, never dropped. */
const provisionResultSchema = z.object({
  type: z.literal('provision_result'),
  ...numbered,
  provision_uuid: z.uuid(),
  /** `booting`: everything is on disk and the machine goes into the installed system now. */
  outcome: z.enum(['booting', 'failed', 'aborted']),
  code: z.string().nullable(),
  message: z.string(),
  disk_state: z.enum(['untouched', 'erased', 'partial', 'complete']).nullable(),
});

/** agent → server, after hello. */
export const agentFrames = {
  heartbeat: z.object({
    type: z.literal('heartbeat'),
    uptime_seconds: z.number().nonnegative(),
    /** Load averages over 1, 5 and 15 minutes. */
    load: z.tuple([z.number(), z.number(), z.number()]),
    memory_total_bytes: z.number().int().nonnegative(),
    memory_available_bytes: z.number().int().nonnegative(),
    mode: modeSchema,
  }),
  inventory: z.object({ type: z.literal('inventory'), inventory: inventorySchema }),
  provision_event: z.object({ type: z.literal('provision_event'), ...numbered, event: provisionEventSchema }),
  provision_result: provisionResultSchema,
  command_reply: z.object({
    type: z.literal('command_reply'),
    ...numbered,
    command_uuid: z.uuid(),
    /** `accepted` is followed by `done` or `failed`; `rejected` stands alone. */
    state: z.enum(['accepted', 'rejected', 'done', 'failed']),
    reason: z.string().max(4096).nullable(),
  }),
  log: z.object({
    type: z.literal('log'),
    ...numbered,
    /** The `CollectLogs` that asked for them. */
    command_uuid: z.uuid().nullable(),
    lines: z.array(z.string()),
  }),
  cloud_init_result: z.object({
    type: z.literal('cloud_init_result'),
    ...numbered,
    provision_uuid: z.uuid(),
    /** `absent`: the image has no cloud-init. */
    status: z.enum(['done', 'error', 'absent']),
    errors: z.array(z.string()),
  }),
  pong: z.object({ type: z.literal('pong'), nonce: z.string().max(64) }),
} as const;

export type AgentFrameType = keyof typeof agentFrames;
export type AgentFrame<K extends AgentFrameType = AgentFrameType> = { [P in K]: z.infer<(typeof agentFrames)[P]> }[K];

/** agent → server, the answer to the challenge and the first frame of all. */
export const helloSchema = z.object({
  type: z.literal('hello'),
  machine_uuid: z.uuid(),
  /** Over `helloSignatureInput` with one of the server's public URLs as origin; Ed25519 (RFC 8032), base64url. */
  signature: z.string().regex(/^[A-Za-z0-9_-]{86}$/),
  agent_version: z.string().max(64),
  protocol_version: z.int(),
  boot_id: bootId,
  mode: modeSchema,
  /** From provision.json; null on a system that durantic did not install, and in the installer. */
  installed_provision_uuid: z.uuid().nullable(),
  root_disk: z.object({ serial: z.string().max(256).nullable(), wwn: z.string().max(256).nullable() }).nullable(),
  /** Highest seq that this boot has made, 0 when none. */
  last_event_seq: z.int().nonnegative(),
  hostname: z.string().max(256).nullable().default(null),
  /** Addresses of global scope without prefix length. */
  addresses: z.array(z.string().max(64)).max(256).default([]),
});

export type Hello = z.infer<typeof helloSchema>;

/** What the server wants an agent to do without a command. */
export const agentSettingsSchema = z.object({
  auto_update: z.boolean(),
  mesh: z.object({ ip: z.string(), network_cidr: z.string() }).nullable(),
});

export type AgentSettings = z.infer<typeof agentSettingsSchema>;

/** server → agent. */
export const serverFrames = {
  challenge: z.object({ type: z.literal('challenge'), nonce: z.string(), protocol_version: z.int() }),
  welcome: z.object({
    type: z.literal('welcome'),
    server_time: z.iso.datetime(),
    heartbeat_seconds: z.number().positive(),
    config: agentSettingsSchema,
    /** Highest seq of this boot that is on the server's disk, 0 when none. */
    acknowledged_seq: z.int().nonnegative(),
  }),
  /** `args` are checked against `commandArgs[kind]` by the agent; an unknown one is rejected, not fatal. */
  command: z.object({
    type: z.literal('command'),
    command_uuid: z.uuid(),
    kind: z.string(),
    /** When the operator gave it: the agent refuses one that is older than one it has already taken. */
    issued_at: z.iso.datetime(),
    args: z.unknown(),
  }),
  /** Everything of that boot up to `seq` is on the server's disk. */
  ack: z.object({ type: z.literal('ack'), boot_id: bootId, seq: z.int().nonnegative() }),
  config: z.object({ type: z.literal('config'), config: agentSettingsSchema }),
  ping: z.object({ type: z.literal('ping'), nonce: z.string() }),
  /** The answer to a frame of unknown kind or with invalid fields; the socket stays open. */
  refused: z.object({ type: z.literal('refused'), of: z.string(), reason: z.string() }),
} as const;

export type ServerFrameType = keyof typeof serverFrames;
export type ServerFrame<K extends ServerFrameType = ServerFrameType> = {
  [P in K]: z.infer<(typeof serverFrames)[P]>;
}[K];

/** WebSocket close codes (RFC 6455, section 7.4.2: 4000 to 4999 are ours). */
export const closeCodes = {
  /** Not JSON, not an object, or not text. */
  malformed: 4400,
  /** Signature, origin or key is wrong. */
  unauthorized: 4401,
  /** The machine was deleted or never was. */
  unknown_machine: 4404,
  /** No hello within 10 s, or no frame for 60 s. */
  timeout: 4408,
  /** A newer socket of the same machine is there. */
  replaced: 4409,
  /** protocol_version is not supported. */
  version: 4426,
  /** The agent does not read what it is sent, or sends faster than it may. */
  overload: 4429,
  /** RFC 6455: a frame above `maxFrameBytes`. */
  too_big: 1009,
  /** RFC 6455: the server is stopping. */
  going_away: 1001,
  /** RFC 6455: the server could not store what was sent (its disk is full, say); nothing of it is acknowledged. */
  failed: 1011,
} as const;
