import { WebSocket } from 'ws';
import { abortError } from '../../core/base/abort.ts';
import { buildInfo } from '../../core/base/build-info.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import { serverConnectError } from '../../core/pinned-ca/server-connect-error.ts';
import {
  closeCodes,
  type Hello,
  maxFrameBytes,
  protocolVersion,
  type ServerFrame,
} from '../../protocol/agent-frames.ts';
import { helloSignatureInput } from '../../protocol/hello-signature.ts';
import { signWith } from '../identity/make-identity.ts';
import type { MachineIdentity } from '../identity/read-identity.ts';
import { onOneLine, statusError } from './ask-server.ts';
import { closeError } from './link-error.ts';
import { parseServerFrame } from './parse-server-frame.ts';
import type { ServerEndpoint } from './server-endpoint.ts';

/** What a hello says beside identity and signature; asked anew for each connection. */
export type HelloFacts = Pick<
  Hello,
  'boot_id' | 'mode' | 'installed_provision_uuid' | 'root_disk' | 'hostname' | 'addresses'
>;

export interface ConnectOptions {
  readonly endpoint: ServerEndpoint;
  readonly identity: MachineIdentity;
  readonly facts: HelloFacts;
  readonly lastSeq: number;
  readonly signal: AbortSignal;
  /** For challenge and welcome, each; default 10 s. */
  readonly stepTimeoutMs?: number;
}

export interface Connection {
  readonly socket: WebSocket;
  readonly welcome: ServerFrame<'welcome'>;
  /** Frames that came right behind the welcome, before anyone listened. */
  readonly early: readonly unknown[];
}

/**
 * Opens the machine's socket: dial, upgrade, challenge, hello, welcome (protocol.md, "Agent socket").
 * @throws ProvisionError as `ServerEndpoint.dial`; `server_error`, `server_rate_limited`, `server_answer_invalid`,
 * `agent_refused`, `machine_unknown`, `agent_replaced`, `protocol_unsupported`, `link_lost`, `aborted`.
 */
export async function connectAgent(options: ConnectOptions): Promise<Connection> {
  const { endpoint, signal } = options;
  const stepTimeoutMs = options.stepTimeoutMs ?? 10_000;
  const transport = await endpoint.dial(signal);
  const url = new URL('/api/agent/connect', endpoint.url);
  const socket = new WebSocket(url.href.replace(/^http/, 'ws'), {
    createConnection: () => transport,
    maxPayload: maxFrameBytes,
    perMessageDeflate: false,
    handshakeTimeout: stepTimeoutMs,
    headers: { 'user-agent': 'durantic' },
  });
  const inbox = new Inbox(socket, endpoint.url, signal);
  try {
    const challenge = await inbox.next('challenge', stepTimeoutMs);
    socket.send(JSON.stringify(helloOf(options, challenge)));
    const welcome = await inbox.next('welcome', stepTimeoutMs);
    const early = inbox.release();
    if (inbox.failure !== null) throw inbox.failure;
    return { socket, welcome, early };
  } catch (error) {
    inbox.release();
    socket.terminate();
    transport.destroy();
    throw error;
  }
}

function helloOf(options: ConnectOptions, challenge: ServerFrame<'challenge'>): Hello {
  const { endpoint, identity, facts } = options;
  if (challenge.protocol_version !== protocolVersion) {
    const message = `the server ${endpoint.url.host} speaks version ${challenge.protocol_version} of the protocol, this agent version ${protocolVersion}`;
    throw new ProvisionError('protocol_unsupported', message, { facts: { host: endpoint.url.host } });
  }
  const { origin } = endpoint;
  const parts = { origin, machineUuid: identity.machine_uuid, bootId: facts.boot_id, nonce: challenge.nonce };
  return {
    type: 'hello',
    machine_uuid: identity.machine_uuid,
    signature: signWith(identity, helloSignatureInput(parts)),
    agent_version: buildInfo().version,
    protocol_version: protocolVersion,
    last_event_seq: options.lastSeq,
    ...facts,
  };
}

/** What a socket receives before a session takes it over, in order. */
class Inbox {
  readonly #socket: WebSocket;
  readonly #url: URL;
  readonly #signal: AbortSignal;
  readonly #messages: unknown[] = [];
  /** Why nothing more will come, once that is so. */
  failure: ProvisionError | null = null;
  #wake: () => void = () => undefined;

  constructor(socket: WebSocket, url: URL, signal: AbortSignal) {
    this.#socket = socket;
    this.#url = url;
    this.#signal = signal;
    socket.on('message', this.#onMessage).on('error', this.#onError).on('close', this.#onClose);
    socket.on('unexpected-response', this.#onResponse);
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
  }

  async next<K extends 'challenge' | 'welcome'>(type: K, timeoutMs: number): Promise<ServerFrame<K>> {
    const timer = setTimeout(() => {
      const message = `the server ${this.#url.host} sent no ${type} in time`;
      this.#fail(new ProvisionError('server_unreachable', message, { facts: { host: this.#url.host } }));
    }, timeoutMs);
    try {
      for (;;) {
        if (this.#messages.length > 0) return this.#take(type);
        if (this.failure !== null) throw this.failure;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Stops listening, and gives what has come since. */
  release(): readonly unknown[] {
    const socket = this.#socket;
    socket.off('message', this.#onMessage).off('close', this.#onClose).off('unexpected-response', this.#onResponse);
    // Whoever takes over has a listener of its own; without any, a late error would end the process.
    socket.off('error', this.#onError).on('error', () => undefined);
    this.#signal.removeEventListener('abort', this.#onAbort);
    return this.#messages.splice(0);
  }

  #take<K extends 'challenge' | 'welcome'>(type: K): ServerFrame<K> {
    const parsed = parseServerFrame(this.#messages.shift());
    if (parsed.kind === 'frame' && parsed.frame.type === type) return parsed.frame as ServerFrame<K>;
    this.#socket.close(closeCodes.malformed, `expected ${type}`);
    throw new ProvisionError(
      'server_answer_invalid',
      `${this.#url.host} sends no ${type}; it may be no durantic server`,
      {
        facts: { host: this.#url.host },
      },
    );
  }

  #fail(error: ProvisionError): void {
    this.failure ??= error;
    this.#wake();
  }

  readonly #onMessage = (data: unknown, isBinary: boolean): void => {
    this.#messages.push(isBinary ? null : data);
    this.#wake();
  };
  readonly #onError = (cause: Error): void => this.#fail(serverConnectError(cause, this.#url, this.#signal));
  readonly #onClose = (code: number, reason: Buffer): void =>
    this.#fail(closeError(this.#url.host, code, reason.toString('utf8')));
  readonly #onAbort = (): void => this.#fail(abortError(this.#signal));
  readonly #onResponse = (_request: unknown, response: import('node:http').IncomingMessage): void => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => {
      if (chunks.length < 16) chunks.push(chunk);
    });
    response.once('error', () => undefined);
    response.once('close', () => {
      const retryAfter = response.headers['retry-after'];
      const detail = onOneLine(/"detail"\s*:\s*"([^"]*)"/.exec(Buffer.concat(chunks).toString('utf8'))?.[1] ?? '');
      this.#fail(
        statusError(new URL('/api/agent/connect', this.#url), { status: response.statusCode ?? 0, detail, retryAfter }),
      );
    });
  };
}
