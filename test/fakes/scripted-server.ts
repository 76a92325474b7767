import { createPublicKey, randomBytes, randomUUID, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer, Server as HttpsServer } from 'node:https';
import { json } from 'node:stream/consumers';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  type AgentFrame,
  type AgentFrameType,
  agentFrames,
  type Hello,
  helloSchema,
  maxFrameBytes,
  type ServerFrame,
} from '../../protocol/agent-frames.ts';
import { helloSignatureInput } from '../../protocol/hello-signature.ts';
import type { Certificates } from '../builders/certificates.ts';
import { type Resources, waitFor } from '../resources.ts';
import { listenOnLoopback } from './listen-on-loopback.ts';

/** Answers one HTTP request; `body` is the parsed JSON, undefined where there is none. */
type Answer = (
  body: unknown,
  request: IncomingMessage,
) => { status: number; body?: unknown; headers?: Record<string, string> };

export interface ScriptedServerOptions {
  readonly tls?: Pick<Certificates, 'certFile' | 'keyFile'>;
  /** `METHOD /path` → its answer; `:id` stands for one part. */
  readonly routes?: Readonly<Record<string, Answer>>;
  /** Takes over an upgrade before any challenge; true when it did. */
  readonly onUpgrade?: (request: IncomingMessage, socket: import('node:stream').Duplex) => boolean;
  readonly challenge?: Partial<ServerFrame<'challenge'>>;
  readonly heartbeatSeconds?: number;
}

/** One socket of an agent, as the server sees it. */
export interface AgentPeer {
  readonly socket: WebSocket;
  readonly hello: Hello;
  /** Everything that came after the hello. */
  readonly frames: AgentFrame[];
  send(frame: ServerFrame | Record<string, unknown>): void;
  close(code: number, reason: string): void;
}

/**
 * A server of ours that does what a test says, for faults that the real one never makes. It stores numbered frames as
 * the real one does: by boot_id and seq, once; `receive` says what becomes of a frame.
 */
export class ScriptedServer {
  readonly origin: string;
  readonly peers: AgentPeer[] = [];
  /** boot_id → seq → frame. */
  readonly stored = new Map<string, Map<number, AgentFrame>>();
  /** Frames that came again with other contents: a defect of the agent. */
  readonly conflicts: string[] = [];
  readonly problems: string[] = [];
  /** What agents dial, where something stands in between. */
  dialledOrigin: string;
  /** Acknowledges what is stored; switched off by tests. */
  acknowledges = true;
  /** Shows another certificate from now on; only with TLS. */
  useCertificate: (tls: Pick<Certificates, 'certFile' | 'keyFile'>) => void = () => undefined;
  onPeer: (peer: AgentPeer) => void = () => undefined;
  onFrame: (frame: AgentFrame, peer: AgentPeer) => void = () => undefined;
  readonly #options: ScriptedServerOptions;
  readonly #keys = new Map<string, string>();

  private constructor(origin: string, options: ScriptedServerOptions) {
    this.origin = origin;
    this.dialledOrigin = origin;
    this.#options = options;
  }

  static async start(resources: Resources, options: ScriptedServerOptions = {}): Promise<ScriptedServer> {
    const { tls } = options;
    const server =
      tls === undefined
        ? createHttpServer()
        : createHttpsServer({ cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) });
    const { host } = await listenOnLoopback(resources, server as ReturnType<typeof createHttpServer>);
    const scripted = new ScriptedServer(`${tls === undefined ? 'http' : 'https'}://${host}`, options);
    scripted.useCertificate = ({ certFile, keyFile }) => {
      if (server instanceof HttpsServer) {
        server.setSecureContext({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
      }
    };
    server.on('request', (request, response) => void scripted.#answer(request, response));
    const sockets = new WebSocketServer({ noServer: true, maxPayload: maxFrameBytes });
    server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => undefined);
      resources.defer('end an upgraded connection', () => void socket.destroy());
      if (options.onUpgrade?.(request, socket) === true) return;
      sockets.handleUpgrade(request, socket, head, (ws) => scripted.#welcome(ws));
    });
    resources.defer('end the sockets of a scripted server', () => {
      for (const client of sockets.clients) client.terminate();
    });
    return scripted;
  }

  /** Makes a key known, as an enrolment would. */
  knows(machineUuid: string, publicKeyX: string): void {
    this.#keys.set(machineUuid, publicKeyX);
  }

  async nextPeer(count = this.peers.length + 1): Promise<AgentPeer> {
    return await waitFor(`socket ${count} of the agent`, () => this.peers[count - 1], {
      timeoutMs: 20_000,
      intervalMs: 2,
    });
  }

  /** All stored frames of a type, in the order of boots and numbers. */
  storedOf<K extends AgentFrameType>(type: K): AgentFrame<K>[] {
    const all = [...this.stored.values()].flatMap((frames) => [...frames].sort(([a], [b]) => a - b));
    return all.flatMap(([, frame]) => (frame.type === type ? [frame as AgentFrame<K>] : []));
  }

  #welcome(socket: WebSocket): void {
    const nonce = randomBytes(32).toString('base64url');
    const frames: AgentFrame[] = [];
    const send = (frame: object): void => socket.send(JSON.stringify(frame), () => undefined);
    socket.on('error', () => undefined);
    socket.once('message', (data: Buffer) => {
      const hello = helloSchema.parse(JSON.parse(data.toString('utf8')));
      if (!this.#isSigned(hello, nonce)) return socket.close(4401, 'the signature is wrong');
      const close = (code: number, reason: string): void => socket.close(code, reason);
      const peer: AgentPeer = { socket, hello, frames, send, close };
      socket.on('message', (message: Buffer) => this.#take(peer, message));
      send({
        type: 'welcome',
        server_time: new Date().toISOString(),
        heartbeat_seconds: this.#options.heartbeatSeconds ?? 10,
        config: { auto_update: false, mesh: null },
        acknowledged_seq: this.acknowledges ? this.#highest(hello.boot_id) : 0,
      });
      this.peers.push(peer);
      this.onPeer(peer);
    });
    send({ type: 'challenge', nonce, protocol_version: 1, ...this.#options.challenge });
  }

  #take(peer: AgentPeer, message: Buffer): void {
    const value = JSON.parse(message.toString('utf8')) as { type: AgentFrameType };
    const result = agentFrames[value.type].safeParse(value);
    if (!result.success) {
      this.problems.push(`${value.type}: ${result.error.message}`);
      return;
    }
    const frame = result.data;
    peer.frames.push(frame);
    if ('seq' in frame) this.#store(peer, frame);
    this.onFrame(frame, peer);
  }

  #store(peer: AgentPeer, frame: AgentFrame & { boot_id: string; seq: number }): void {
    const boot = this.stored.get(frame.boot_id) ?? new Map<number, AgentFrame>();
    this.stored.set(frame.boot_id, boot);
    const known = boot.get(frame.seq);
    // As the real server: what is at or below the highest number is a repetition.
    if (known === undefined && frame.seq > this.#highest(frame.boot_id)) boot.set(frame.seq, frame);
    else if (known === undefined || JSON.stringify(known) !== JSON.stringify(frame)) {
      this.conflicts.push(JSON.stringify(frame));
    }
    if (this.acknowledges) peer.send({ type: 'ack', boot_id: frame.boot_id, seq: this.#highest(frame.boot_id) });
  }

  #highest(bootId: string): number {
    return Math.max(0, ...(this.stored.get(bootId)?.keys() ?? []));
  }

  #isSigned(hello: Hello, nonce: string): boolean {
    const x = this.#keys.get(hello.machine_uuid);
    if (x === undefined) return false;
    const parts = { origin: this.dialledOrigin, machineUuid: hello.machine_uuid, bootId: hello.boot_id, nonce };
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    return verify(null, helloSignatureInput(parts), key, Buffer.from(hello.signature, 'base64url'));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?')[0] ?? '';
    const wanted = `${request.method} ${path}`;
    const route = Object.entries(this.#options.routes ?? {}).find(([name]) => matches(name, wanted))?.[1];
    const body = request.method === 'POST' ? await json(request) : undefined;
    const answer = route?.(body, request) ?? { status: 404, body: { detail: 'there is nothing here' } };
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
    response.end(JSON.stringify(answer.body ?? {}));
  }
}

function matches(name: string, wanted: string): boolean {
  return new RegExp(`^${name.replaceAll(/:\w+/g, '[^/]+')}$`).test(wanted);
}

/** A command frame with its own UUID. */
export function commandFrame(kind: string, args: unknown, overrides: Partial<ServerFrame<'command'>> = {}) {
  const issued_at = new Date().toISOString();
  return { type: 'command', command_uuid: randomUUID(), kind, issued_at, args, ...overrides } as const;
}
