import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { type RawData, WebSocket } from 'ws';
import type { ServerContext } from '../../control-plane/context.ts';
import type { Hello, ServerFrame, ServerFrameType } from '../../protocol/agent-frames.ts';
import { helloSignatureInput } from '../../protocol/hello-signature.ts';
import { waitFor } from '../resources.ts';

export interface TestIdentity {
  readonly machineUuid: string;
  /** `x` of the JWK, as in `machines.public_key`. */
  readonly publicKey: string;
  readonly privateKey: KeyObject;
}

/** A machine's key pair; `machineUuid` may be set to what an enrolment gave. */
export function makeTestIdentity(machineUuid: string = randomUUID()): TestIdentity {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  return { machineUuid, publicKey: x, privateKey };
}

/** Puts an enrolled machine into the database, without the enrolment. */
export function insertTestMachine(context: ServerContext, identity: TestIdentity = makeTestIdentity()): TestIdentity {
  const now = new Date(context.clock.now()).toISOString();
  context.db
    .prepare(
      `INSERT INTO machines (uuid, account_uuid, hostname, public_key, facts, created_at, updated_at)
       VALUES (?, ?, ?, ?, '{}', ?, ?)`,
    )
    .run(identity.machineUuid, context.accountUuid, 'new-machine', identity.publicKey, now, now);
  return identity;
}

export interface TestAgentOptions {
  /** Origin of the server, one of its public URLs: `https://127.0.0.1:8443`. */
  readonly url: string;
  /** The origin that is signed; default: `url`. */
  readonly origin?: string;
  /** PEM; absent for plain HTTP. */
  readonly ca?: string;
  readonly identity: TestIdentity;
  /** Fields of the hello that differ from those of an idle installer. */
  readonly hello?: Partial<Hello>;
  /** Sends a heartbeat so often after the welcome; absent: none. */
  readonly heartbeatMs?: number;
  /** Answers pings; default true. */
  readonly answersPings?: boolean;
  /** Called for each command; gives the states that are replied, in order. Absent: no reply. */
  readonly onCommand?: (command: ServerFrame<'command'>) => readonly CommandState[];
  /** Resolve after the welcome (default), or after the challenge without a hello. */
  readonly until?: 'welcome' | 'challenge';
}

export type CommandState = 'accepted' | 'rejected' | 'done' | 'failed';

export interface SocketEnd {
  readonly code: number;
  readonly reason: string;
}

/** An agent of a test: a real socket, every frame written by the test. */
export class TestAgent {
  readonly socket: WebSocket;
  readonly identity: TestIdentity;
  readonly bootId: string;
  /** Everything that the server sent, in order. */
  readonly frames: ServerFrame[] = [];
  /** The socket's end; null while it is open. */
  end: SocketEnd | null = null;
  readonly closed: Promise<SocketEnd>;
  readonly #options: TestAgentOptions;
  #heartbeat: NodeJS.Timeout | undefined;
  #seq: number;

  constructor(options: TestAgentOptions) {
    this.#options = options;
    this.identity = options.identity;
    this.bootId = options.hello?.boot_id ?? randomUUID();
    this.#seq = options.hello?.last_event_seq ?? 0;
    const address = `${options.url.replace(/^http/, 'ws')}/api/agent/connect`;
    this.socket = new WebSocket(address, { ca: options.ca, perMessageDeflate: false, handshakeTimeout: 30_000 });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        clearInterval(this.#heartbeat);
        this.end = { code, reason: reason.toString() };
        resolve(this.end);
      });
    });
    this.socket.on('message', (data) => this.#onMessage(data));
    // The close event follows; a test that expects a connection sees its rejection in `connectTestAgent`.
    this.socket.on('error', () => undefined);
  }

  /** Sends a frame, or text or bytes as they are. */
  send(frame: object | string | Uint8Array): void {
    this.socket.send(typeof frame === 'string' || frame instanceof Uint8Array ? frame : JSON.stringify(frame));
  }

  /** Sends a frame with this boot's next seq, which is given back. */
  sendNumbered(frame: { readonly type: string } & Record<string, unknown>): number {
    this.#seq += 1;
    this.send({ boot_id: this.bootId, seq: this.#seq, ...frame });
    return this.#seq;
  }

  reply(commandUuid: string, state: CommandState, reason: string | null = null): number {
    return this.sendNumbered({ type: 'command_reply', command_uuid: commandUuid, state, reason });
  }

  sendHeartbeat(): void {
    const mode = this.#options.hello?.mode ?? 'installer';
    const memory = { memory_total_bytes: 4 * 1024 ** 3, memory_available_bytes: 3 * 1024 ** 3 };
    this.send({ type: 'heartbeat', uptime_seconds: 60, load: [0.1, 0.1, 0.1], ...memory, mode });
  }

  /** Answers the challenge; fields that are given replace what an honest agent would send. */
  sendHello(fields: Record<string, unknown> = {}): void {
    const challenge = this.all('challenge')[0];
    if (challenge === undefined) throw new Error('there was no challenge yet');
    this.send({ ...this.#hello(challenge.nonce), ...fields });
  }

  all<K extends ServerFrameType>(type: K): ServerFrame<K>[] {
    return this.frames.filter((frame): frame is ServerFrame<K> => frame.type === type);
  }

  /** Waits for the `count`th frame of a type. */
  async next<K extends ServerFrameType>(type: K, count = 1, timeoutMs = 10_000): Promise<ServerFrame<K>> {
    return await waitFor(`frame ${count} of type ${type}`, () => this.all(type)[count - 1], {
      timeoutMs,
      intervalMs: 2,
    });
  }

  /** Waits until everything of this boot up to `seq` is acknowledged. */
  async acknowledged(seq: number, timeoutMs = 10_000): Promise<void> {
    const isDone = (): boolean =>
      [
        ...this.all('ack')
          .filter(({ boot_id }) => boot_id === this.bootId)
          .map((ack) => ack.seq),
        ...this.all('welcome').map((welcome) => welcome.acknowledged_seq),
      ].some((acked) => acked >= seq);
    await waitFor(`the acknowledgement of ${seq}`, isDone, { timeoutMs, intervalMs: 2 });
  }

  /** Closes as an agent does that stops. */
  async close(): Promise<SocketEnd> {
    clearInterval(this.#heartbeat);
    this.socket.close(1000);
    return await this.closed;
  }

  /** The network is gone: no close frame. */
  cut(): void {
    clearInterval(this.#heartbeat);
    this.socket.terminate();
  }

  #onMessage(data: RawData): void {
    const frame = JSON.parse(data.toString()) as ServerFrame;
    this.frames.push(frame);
    if (frame.type === 'challenge' && this.#options.until !== 'challenge') this.sendHello();
    if (frame.type === 'ping' && this.#options.answersPings !== false) this.send({ type: 'pong', nonce: frame.nonce });
    if (frame.type === 'command') {
      for (const state of this.#options.onCommand?.(frame) ?? []) this.reply(frame.command_uuid, state);
    }
    if (frame.type === 'welcome' && this.#options.heartbeatMs !== undefined) {
      this.#heartbeat = setInterval(() => this.sendHeartbeat(), this.#options.heartbeatMs);
    }
  }

  #hello(nonce: string): Hello {
    const { machineUuid, privateKey } = this.identity;
    const { url, origin = url } = this.#options;
    const input = helloSignatureInput({ origin, machineUuid, bootId: this.bootId, nonce });
    return {
      type: 'hello',
      machine_uuid: machineUuid,
      signature: sign(null, input, privateKey).toString('base64url'),
      agent_version: '0.1.0-test',
      protocol_version: 1,
      mode: 'installer',
      installed_provision_uuid: null,
      root_disk: null,
      last_event_seq: this.#seq,
      hostname: null,
      addresses: [],
      ...this.#options.hello,
      boot_id: this.bootId,
    };
  }
}

/**
 * Connects and waits for the welcome (or the challenge). The caller ends it: `await agent.close()`, or the server does.
 * @throws Error with the close code when the server refuses the agent.
 */
export async function connectTestAgent(options: TestAgentOptions): Promise<TestAgent> {
  const agent = new TestAgent(options);
  const until = options.until ?? 'welcome';
  await waitFor(
    until,
    () => {
      if (agent.end !== null) throw new Error(`the server closed with ${agent.end.code}: ${agent.end.reason}`);
      return agent.all(until).length > 0;
    },
    { timeoutMs: 30_000, intervalMs: 2 },
  );
  return agent;
}
