import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

export interface QmpEvent {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A connection to QEMU's machine protocol (docs/interop/qmp-spec of QEMU): one command at a time, events kept. */
export class Qmp implements Disposable {
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  readonly #events: QmpEvent[] = [];
  #nextId = 1;
  #isClosed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    // Without a listener an error would end the process; `close` follows and tells the waiting commands.
    const lines = createInterface({ input: socket });
    for (const emitter of [socket, lines]) emitter.on('error', () => undefined);
    socket.on('close', () => this.#close());
    lines.on('line', (line) => this.#receive(line));
  }

  /** Connects and leaves the negotiation mode. The socket must already listen. */
  static async connect(path: string): Promise<Qmp> {
    const socket = await new Promise<Socket>((resolve, reject) => {
      const attempt = connect(path, () => resolve(attempt));
      attempt.once('error', reject);
    });
    const qmp = new Qmp(socket);
    await qmp.execute('qmp_capabilities');
    return qmp;
  }

  /** The events seen so far (`SHUTDOWN`, `RESET`, `DEVICE_DELETED`, …), oldest first. */
  get events(): readonly QmpEvent[] {
    return this.#events;
  }

  /** True once QEMU has closed the connection; no further event comes. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Runs one command and gives its `return` value. Throws with QEMU's own description. */
  async execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
    if (this.#isClosed) throw new Error(`QMP ${command}: QEMU has ended`);
    const id = this.#nextId++;
    return await new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject: (error) => reject(new Error(`QMP ${command}: ${error.message}`)) });
      this.#socket.write(`${JSON.stringify({ execute: command, id, ...(args ? { arguments: args } : {}) })}\n`);
    });
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #receive(line: string): void {
    const message = JSON.parse(line) as {
      id?: number;
      return?: unknown;
      error?: { desc: string };
      event?: string;
      data?: Record<string, unknown>;
    };
    if (message.event !== undefined) this.#events.push({ name: message.event, data: message.data ?? {} });
    const pending = message.id === undefined ? undefined : this.#pending.get(message.id);
    if (pending === undefined || message.id === undefined) return;
    this.#pending.delete(message.id);
    if (message.error) pending.reject(new Error(message.error.desc));
    else pending.resolve(message.return);
  }

  #close(): void {
    this.#isClosed = true;
    for (const { reject } of this.#pending.values()) reject(new Error('QEMU has ended'));
    this.#pending.clear();
  }
}
