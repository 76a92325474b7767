import type { WebSocket } from 'ws';
import { abortError } from '../../core/base/abort.ts';
import { describeError } from '../../core/base/describe-error.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import {
  type AgentFrame,
  type AgentSettings,
  closeCodes,
  maxFrameBytes,
  type ServerFrame,
} from '../../protocol/agent-frames.ts';
import { onOneLine } from './ask-server.ts';
import type { Connection } from './connect.ts';
import { closeError } from './link-error.ts';
import type { Outbox } from './outbox.ts';
import { parseServerFrame } from './parse-server-frame.ts';

export interface SessionHandlers {
  /** Contents of the next heartbeat. */
  readonly heartbeat: () => Promise<Omit<AgentFrame<'heartbeat'>, 'type'>>;
  readonly inventory: () => Promise<AgentFrame<'inventory'>['inventory']>;
  readonly onCommand: (command: ServerFrame<'command'>) => void;
  readonly onSettings: (settings: AgentSettings) => void;
  /** The server refused a frame or sent one that is not understood, or a frame could not be made. */
  readonly onOddity: (message: string) => void;
}

export interface SessionOptions {
  readonly connection: Connection;
  readonly host: string;
  readonly outbox: Outbox;
  readonly handlers: SessionHandlers;
  readonly signal: AbortSignal;
  /** How often the hardware is looked at; default 60 s. */
  readonly inventoryEveryMs?: number;
  /** A server that is silent for three heartbeats and this long is given up; default 5 s. */
  readonly graceMs?: number;
}

/** Frames of the outbox that may be on their way without an acknowledgement. */
const windowFrames = 256;
const windowBytes = 2 * 1024 * 1024;
/** What may wait in this process for the socket to take it. */
const bufferedBytes = 1024 * 1024;
const farewellMs = 400;

/**
 * One connection from welcome to its end: outbox, heartbeats, inventory, commands. Always ends by throwing why.
 * @throws ProvisionError as `closeError`; `aborted` when the signal was, after a close frame.
 */
export async function runSession(options: SessionOptions): Promise<never> {
  const session = new Session(options);
  try {
    return await session.ended;
  } finally {
    session.stop();
  }
}

class Session {
  /** Never resolves; rejects with the reason of the end. */
  readonly ended: Promise<never>;
  readonly #options: SessionOptions;
  readonly #socket: WebSocket;
  readonly #id = Symbol('connection');
  readonly #silenceMs: number;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #stopListening: () => void;
  #inFlight = 0;
  #inFlightBytes = 0;
  #lastHeardMs = performance.now();
  #lastInventory = '';
  #isOver = false;
  #fail: (error: ProvisionError) => void = () => undefined;

  constructor(options: SessionOptions) {
    const { connection, outbox, signal, handlers } = options;
    this.#options = options;
    this.#socket = connection.socket;
    const heartbeatMs = connection.welcome.heartbeat_seconds * 1000;
    this.#silenceMs = 3 * heartbeatMs + (options.graceMs ?? 5000);
    this.ended = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    this.#socket.on('message', this.#onMessage).on('pong', this.#onSign).on('ping', this.#onSign);
    this.#socket.once('close', this.#onClose);
    signal.addEventListener('abort', this.#onAbort, { once: true });
    outbox.welcome(connection.welcome.acknowledged_seq);
    this.#stopListening = outbox.onChange(() => this.#pump());
    handlers.onSettings(connection.welcome.config);
    for (const message of connection.early) this.#take(message);
    if (signal.aborted) this.#onAbort();
    else if (this.#socket.readyState === this.#socket.CLOSED) this.#fail(closeError(options.host, 1006, ''));
    this.#pump();
    this.#every(heartbeatMs, () => this.#beat());
    this.#every(options.inventoryEveryMs ?? 60_000, () => this.#sendInventory());
  }

  stop(): void {
    this.#isOver = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#stopListening();
    this.#socket.off('message', this.#onMessage).off('pong', this.#onSign).off('ping', this.#onSign);
    this.#socket.off('close', this.#onClose);
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    if (this.#socket.readyState !== this.#socket.CLOSED) this.#socket.terminate();
  }

  /** Sends what the window and the socket's buffer have room for; called after every change of either. */
  #pump(): void {
    const socket = this.#socket;
    if (this.#isOver || socket.readyState !== socket.OPEN) return;
    this.#countInFlight();
    for (const entry of this.#options.outbox.unsent(this.#id)) {
      const isFull = this.#inFlight >= windowFrames || this.#inFlightBytes >= windowBytes;
      if (isFull || socket.bufferedAmount > bufferedBytes) return;
      entry.sentOn = this.#id;
      this.#inFlight += 1;
      this.#inFlightBytes += entry.bytes;
      socket.send(entry.text, () => {
        if (socket.bufferedAmount <= bufferedBytes / 2) this.#pump();
      });
    }
  }

  #countInFlight(): void {
    const { frames, bytes } = this.#options.outbox.sentOn(this.#id);
    this.#inFlight = frames;
    this.#inFlightBytes = bytes;
  }

  /** For frames that are worth nothing later: left out while the server does not read. */
  #sendNow(frame: AgentFrame<'heartbeat' | 'inventory' | 'pong'>): boolean {
    const socket = this.#socket;
    const text = JSON.stringify(frame);
    if (this.#isOver || socket.readyState !== socket.OPEN || socket.bufferedAmount > bufferedBytes) return false;
    if (Buffer.byteLength(text) > maxFrameBytes) {
      this.#options.handlers.onOddity(`the ${frame.type} of this machine is too large to be sent`);
      return true;
    }
    socket.send(text);
    return true;
  }

  async #beat(): Promise<void> {
    if (performance.now() - this.#lastHeardMs > this.#silenceMs) {
      const seconds = Math.round(this.#silenceMs / 1000);
      const message = `the server ${this.#options.host} has given no sign of life for ${seconds} s`;
      this.#fail(new ProvisionError('link_lost', message, { facts: { host: this.#options.host } }));
      return;
    }
    // Answered by the WebSocket layer of the server, whatever its program is busy with.
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
    this.#sendNow({ type: 'heartbeat', ...(await this.#options.handlers.heartbeat()) });
  }

  async #sendInventory(): Promise<void> {
    const inventory = await this.#options.handlers.inventory();
    const text = JSON.stringify(inventory);
    if (text === this.#lastInventory) return;
    if (this.#sendNow({ type: 'inventory', inventory })) this.#lastInventory = text;
  }

  /** Runs `work` now and again, never twice at once. What it throws is told once: no reason to give up the link. */
  #every(intervalMs: number, work: () => Promise<void>): void {
    let isBusy = false;
    let hasFailed = false;
    const run = (): void => {
      if (isBusy || this.#isOver) return;
      isBusy = true;
      work()
        .catch((error: unknown) => {
          if (!hasFailed) this.#options.handlers.onOddity(describeError(error));
          hasFailed = true;
        })
        .finally(() => {
          isBusy = false;
        });
    };
    this.#timers.push(setInterval(run, intervalMs));
    run();
  }

  #take(message: unknown): void {
    this.#lastHeardMs = performance.now();
    const parsed = parseServerFrame(message);
    const { handlers } = this.#options;
    if (parsed.kind === 'malformed') {
      this.#socket.close(closeCodes.malformed, 'not a frame');
      return;
    }
    if (parsed.kind === 'unknown') handlers.onOddity(`a frame of the server (${parsed.type}) ${parsed.why}`);
    else this.#handle(parsed.frame);
  }

  #handle(frame: ServerFrame): void {
    const { handlers, outbox } = this.#options;
    switch (frame.type) {
      case 'ack':
        outbox.acknowledge(frame.boot_id, frame.seq);
        break;
      case 'command':
        handlers.onCommand(frame);
        break;
      case 'config':
        handlers.onSettings(frame.config);
        break;
      case 'ping':
        this.#sendNow({ type: 'pong', nonce: frame.nonce.slice(0, 64) });
        break;
      case 'refused':
        handlers.onOddity(`the server refused a frame (${onOneLine(frame.of)}): ${onOneLine(frame.reason)}`);
        break;
      case 'challenge':
      case 'welcome':
        handlers.onOddity(`a second ${frame.type} came on one connection`);
    }
  }

  readonly #onMessage = (data: unknown, isBinary: boolean): void => this.#take(isBinary ? null : data);
  readonly #onSign = (): void => {
    this.#lastHeardMs = performance.now();
  };
  readonly #onClose = (code: number, reason: Buffer): void =>
    this.#fail(closeError(this.#options.host, code, reason.toString('utf8')));
  readonly #onAbort = (): void => {
    const end = (): void => this.#fail(abortError(this.#options.signal));
    this.#isOver = true;
    this.#socket.off('close', this.#onClose).once('close', end);
    this.#socket.close(1000, 'the agent stops');
    this.#timers.push(setTimeout(end, farewellMs));
  };
}
