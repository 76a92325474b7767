import { randomBytes } from 'node:crypto';
import type { RawData, WebSocket } from 'ws';
import { describeError, stackOf } from '../../core/base/describe-error.ts';
import { closeCodes, protocolVersion, type ServerFrame } from '../../protocol/agent-frames.ts';
import type { AgentServices } from './agent-services.ts';
import { handleAgentFrame } from './handle-agent-frame.ts';
import { helloJob } from './hello-job.ts';
import { TokenBucket } from './token-bucket.ts';
import { isRefusal, verifyHello } from './verify-hello.ts';

/**
 * One agent's socket: challenge, hello, then frames until it closes. Frames become jobs of the group commit in the order
 * of their arrival, the hello being the first of them.
 */
export class AgentConnection {
  readonly services: AgentServices;
  readonly #ws: WebSocket;
  readonly #host: string | undefined;
  readonly #nonce = randomBytes(32).toString('base64url');
  readonly #frames: TokenBucket;
  readonly #bytes: TokenBucket;
  readonly #refusals: TokenBucket;
  readonly #acks = new Map<string, number>();
  readonly #pings = new Map<string, (answered: boolean) => void>();
  readonly #helloTimer: NodeJS.Timeout;
  #machineUuid: string | undefined;
  #state: 'challenged' | 'open' | 'closing' = 'challenged';
  #isAccepted = false;
  #silentSweeps = 0;
  #unsentSweeps = 0;

  /** @param options.host `Host` header of the upgrade. */
  constructor(ws: WebSocket, services: AgentServices, options: { host: string | undefined }) {
    const { context, limits, timing } = services;
    this.services = services;
    this.#ws = ws;
    this.#host = options.host;
    this.#frames = new TokenBucket(context.clock, limits.frames);
    this.#bytes = new TokenBucket(context.clock, limits.bytes);
    this.#refusals = new TokenBucket(context.clock, limits.refusals);
    ws.on('message', (data, isBinary) => this.#guard(() => this.#receive(data, isBinary)));
    ws.on('ping', (data) => this.#guard(() => this.#count(data.length)));
    ws.on('pong', (data) => this.#guard(() => this.#count(data.length)));
    // ws has closed the socket with the code that fits (1009, 1007, 1002): there is nothing left to do.
    ws.on('error', (error) => context.log.debug({ error: describeError(error) }, 'the socket of an agent failed'));
    ws.on('close', () => this.#guard(() => this.#onClose()));
    this.#helloTimer = setTimeout(() => this.close(closeCodes.timeout, 'no hello in time'), timing.helloMs);
    this.send({ type: 'challenge', nonce: this.#nonce, protocol_version: protocolVersion });
  }

  /** The machine that the hello names; undefined before. */
  get machineUuid(): string | undefined {
    return this.#machineUuid;
  }

  /** Whether the hello was found right, stored or about to be: only then do frames count. */
  get isAccepted(): boolean {
    return this.#isAccepted;
  }

  /** False once either side has begun to close it. */
  get isOpen(): boolean {
    return this.#state !== 'closing' && this.#ws.readyState === this.#ws.OPEN;
  }

  /** Inside the transaction that stores the hello. */
  accept(): void {
    this.#isAccepted = true;
  }

  /** Writes a frame, or one that is text already; false when the socket is closing. */
  send(frame: ServerFrame | string): boolean {
    if (!this.isOpen) return false;
    this.#ws.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
    if (this.#ws.bufferedAmount > this.services.limits.unsentBytes) {
      this.close(closeCodes.overload, 'the agent does not read what it is sent');
      return false;
    }
    return true;
  }

  /** Everything of this boot up to `seq` is on the disk; one frame goes out for a whole batch. */
  acknowledge(bootId: string, seq: number): void {
    if (this.#acks.size === 0) queueMicrotask(() => this.#guard(() => this.#sendAcks()));
    this.#acks.set(bootId, Math.max(seq, this.#acks.get(bootId) ?? 0));
  }

  /** Says that a frame is not taken, as often as the limit allows. */
  refuse(type: string, reason: string): void {
    if (this.#refusals.take(1)) this.send({ type: 'refused', of: type.slice(0, 64), reason: reason.slice(0, 512) });
  }

  /** True when the agent answers in time. */
  async ping(timeoutMs: number): Promise<boolean> {
    const nonce = randomBytes(12).toString('base64url');
    return await new Promise((resolve) => {
      const timer = setTimeout(() => settle(false), timeoutMs);
      const settle = (answered: boolean): void => {
        clearTimeout(timer);
        this.#pings.delete(nonce);
        resolve(answered);
      };
      this.#pings.set(nonce, settle);
      if (!this.send({ type: 'ping', nonce })) settle(false);
    });
  }

  onPong(nonce: string): void {
    this.#pings.get(nonce)?.(true);
  }

  /** Called every few seconds: pings a silent agent, gives up one that stays silent or does not read. */
  sweep(): void {
    if (this.#state === 'closing') return;
    const { limits, timing } = this.services;
    this.#unsentSweeps = this.#ws.bufferedAmount > limits.unsentSweepBytes ? this.#unsentSweeps + 1 : 0;
    this.#silentSweeps += 1;
    if (this.#unsentSweeps >= 2) this.close(closeCodes.overload, 'the agent does not read what it is sent');
    else if (this.#silentSweeps > timing.silentSweeps) this.close(closeCodes.timeout, 'nothing came for too long');
    else if (this.#silentSweeps === Math.ceil(timing.silentSweeps / 2)) this.send({ type: 'ping', nonce: 'alive' });
  }

  /** Ends the socket; a peer that does not answer the close is cut off by ws after `closeMs`. */
  close(code: number, reason: string): void {
    if (this.#state === 'closing') return;
    this.#state = 'closing';
    this.#ws.close(code, truncated(reason));
    // A close frame behind megabytes that nobody reads would never arrive.
    if (this.#ws.bufferedAmount > this.services.limits.unsentSweepBytes) this.#ws.terminate();
  }

  terminate(): void {
    this.#state = 'closing';
    this.#ws.terminate();
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#state === 'closing' || !Buffer.isBuffer(data) || !this.#count(data.length)) return;
    this.#silentSweeps = 0;
    const text = isBinary ? undefined : data.toString();
    const frame = text === undefined ? undefined : parseObject(text);
    if (text === undefined) this.close(closeCodes.malformed, 'frames are text');
    else if (frame === undefined) this.close(closeCodes.malformed, 'a frame is one JSON object');
    else if (this.#state === 'challenged') this.#onHello(frame);
    else handleAgentFrame(this, { frame, text });
  }

  #count(sizeBytes: number): boolean {
    if (this.#frames.take(1) && this.#bytes.take(sizeBytes)) return true;
    this.close(closeCodes.overload, 'more frames or bytes than an agent may send');
    return false;
  }

  #onHello(frame: object): void {
    const result = verifyHello(this.services.context, { frame, nonce: this.#nonce, host: this.#host });
    if (isRefusal(result)) {
      const facts = {
        code: result.code,
        machine_uuid: 'machine_uuid' in frame ? String(frame.machine_uuid).slice(0, 64) : null,
      };
      this.services.context.log.info(facts, `an agent was refused: ${result.reason}`);
      this.close(result.code, result.reason);
      return;
    }
    clearTimeout(this.#helloTimer);
    this.#machineUuid = result.hello.machine_uuid;
    this.#state = 'open';
    this.services.commits.submit(helloJob(this, result));
  }

  #sendAcks(): void {
    for (const [boot_id, seq] of this.#acks) this.send({ type: 'ack', boot_id, seq });
    this.#acks.clear();
  }

  #onClose(): void {
    this.#state = 'closing';
    clearTimeout(this.#helloTimer);
    for (const settle of [...this.#pings.values()]) settle(false);
    this.services.onClosed(this);
  }

  /** Nothing that a peer sends may end the process. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      const facts = { machine_uuid: this.#machineUuid, error: describeError(error), stack: stackOf(error) };
      this.services.context.log.error(facts, 'a frame of an agent met a defect of durantic');
      this.close(closeCodes.failed, 'the server failed; its log says why');
    }
  }
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A close reason has at most 123 bytes of UTF-8 (RFC 6455, section 5.5.1). */
function truncated(reason: string): string {
  const bytes = Buffer.from(reason);
  return bytes.length <= 123
    ? reason
    : `${bytes
        .subarray(0, 117)
        .toString()
        .replace(/\uFFFD+$/, '')}…`;
}
