import type { AgentFrame, AgentSettings, Hello, ServerFrame } from '../protocol/agent-frames.ts';
import type { CommandArgs, CommandKind } from '../protocol/commands.ts';
import type { RunOrder } from './provisions/queue-run.ts';

/** What the sockets of agents offer to the rest of the server. */
export interface AgentHub {
  isConnected(machineUuid: string): boolean;
  /** False when there is no live socket. */
  send(machineUuid: string, frame: ServerFrame): boolean;
  /** True when the machine's socket answered a ping in time. */
  answersPing(machineUuid: string, timeoutMs: number): Promise<boolean>;
  /** Closes the machine's socket, if any, with a code of `closeCodes`. */
  disconnect(machineUuid: string, code: number, reason: string): void;
  /** Milliseconds since 1970 of the last heartbeat or hello, also when it is not in the database yet; null: never. */
  lastSeenAt(machineUuid: string): number | null;
  /** Sends `config` to the machine, or leaves `pending_config_push` for its next hello. */
  pushConfig(machineUuid: string, config: AgentSettings): void;
}

/** What becomes of agents' frames; called in order, inside the transaction that stores the frame's receipt. */
export interface AgentFrameListener {
  hello?(machineUuid: string, hello: Hello): void;
  frame?(machineUuid: string, frame: NumberedFrame): void;
  /** A command has its final outcome. */
  commandEnded?(command: StoredCommand): void;
}

export type NumberedFrame = AgentFrame<
  'provision_event' | 'provision_result' | 'command_reply' | 'log' | 'cloud_init_result'
>;

export type CommandStatus = 'queued' | 'sent' | 'accepted' | 'rejected' | 'done' | 'failed' | 'canceled';

export interface StoredCommand {
  readonly uuid: string;
  readonly machineUuid: string;
  readonly kind: CommandKind;
  /** Without secrets: what `buildArgs` needs to make the arguments that are sent. */
  readonly args: unknown;
  readonly status: CommandStatus;
  /** Boot of the machine that has accepted it last. */
  readonly acceptedBootId: string | null;
  readonly reason: string | null;
  readonly createdAt: string;
  readonly sentAt: string | null;
  readonly finishedAt: string | null;
}

/** The queue of commands: stored, delivered at least once while the machine is connected, one outcome each. */
export interface CommandQueue {
  /** Stores and delivers; a machine that is offline gets it after its next hello. */
  enqueue<K extends CommandKind>(machineUuid: string, kind: K, args: StoredArgs<K>): StoredCommand;
  get(machineUuid: string, commandUuid: string): StoredCommand | null;
  /** Newest first. */
  list(machineUuid: string): StoredCommand[];
  /** Ends a command that has no outcome yet; false when it has one. */
  cancel(commandUuid: string, reason: string): boolean;
  /** The same where the outcome is known from elsewhere: an installed system is proof of a `ProvisionMachine`. */
  end(commandUuid: string, outcome: 'done' | 'canceled', reason: string): boolean;
}

/** `ProvisionMachine` is stored without the secrets that its arguments carry. */
export type StoredArgs<K extends CommandKind> = K extends 'ProvisionMachine'
  ? { provision_uuid: string }
  : CommandArgs<K>;

/** Makes the arguments of a `ProvisionMachine` each time it is sent, credentials and user data included. */
export type ProvisionArgsBuilder = (provisionUuid: string) => CommandArgs<'ProvisionMachine'> | null;

/** A part of the merged user data that is not cloud-config, or the cloud-config itself. */
export interface RenderedPart {
  /** `text/cloud-config`, `text/x-shellscript`, … (cloud-init's names). */
  readonly contentType: string;
  readonly fileName: string;
  readonly text: string;
}

export interface RenderedUserData {
  /** What goes to the machine: one `#cloud-config` document, or MIME multipart. Null: no role has a template. */
  readonly userData: string | null;
  readonly parts: readonly RenderedPart[];
}

/** Why roles could not be rendered: the run ends as `render_failed` with this message. */
export class RenderError extends Error {
  readonly roleName: string;
  /** Line in the role's template, from 1; null where the message is about the whole. */
  readonly line: number | null;

  constructor(roleName: string, line: number | null, message: string) {
    super(line === null ? `role ${roleName}: ${message}` : `role ${roleName}, line ${line}: ${message}`);
    this.name = 'RenderError';
    this.roleName = roleName;
    this.line = line;
  }
}

/** Renders and merges the roles of a machine. @throws RenderError */
export type RenderMachine = (machineUuid: string) => Promise<RenderedUserData>;

/** Runs of installations. */
export interface ProvisionService {
  readonly listener: AgentFrameListener;
  readonly buildArgs: ProvisionArgsBuilder;
  /** Looks after queued runs and time-outs; called every few seconds. What it starts is not awaited. */
  tick(): Promise<void>;
  /** Queues a run for the machine. @throws ApiError 404; 409 when one is active; 422 without a usable image. */
  /** @param order Default: by reboot, without reading back. */
  queue(machineUuid: string, order?: RunOrder): { readonly provisionUuid: string; readonly message: string };
  /** Ends a run that has not begun, or asks the machine to. @throws ApiError 404; 409 when the run has ended. */
  cancel(machineUuid: string, provisionUuid: string): void;
  /** Drops a queued run and the mark that the machine needs one. @throws ApiError 404; 409 when a run is going on. */
  clear(machineUuid: string): { readonly provisionUuid: string | null; readonly message: string };
  /** Sends the machine into the installer without a run. @throws ApiError 404; 409 when a run is active. */
  discover(machineUuid: string): { readonly provisionUuid: null; readonly message: string };
  /** The machine has another key now: its interrupted run, if any, starts again. */
  onAdopted(machineUuid: string): void;
  /** Waits until what was started (digests, rendering) has ended. */
  settled(): Promise<void>;
  /** Ends what was started; runs go on with the next server. */
  close(): Promise<void>;
}
