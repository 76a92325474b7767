import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { Agent, fetch as undiciFetch } from 'undici';
import { WebSocket } from 'ws';
import type { ServerFrame } from '../../protocol/agent-frames.ts';
import { helloSignatureInput } from '../../protocol/hello-signature.ts';

/** What the fleet's process is told to do. */
export type FleetOrder =
  | { readonly do: 'enrol'; readonly url: string; readonly ca: string; readonly token: string; readonly count: number }
  | { readonly do: 'connect'; readonly heartbeatMs: number }
  | { readonly do: 'report' };

/** What it answers, one for each order. */
export type FleetReply =
  | { readonly did: 'enrol'; readonly machineUuids: readonly string[]; readonly seconds: number }
  | { readonly did: 'connect'; readonly seconds: number; readonly attempts: number }
  | {
      readonly did: 'report';
      readonly open: number;
      readonly closes: number;
      readonly heartbeats: number;
      readonly commands: number;
      /** The longest time between two heartbeats of one agent: tells a slow fleet from a slow server. */
      readonly longestPauseMs: number;
    };

/** Requests or handshakes at a time. */
const atOnce = 64;

interface Member {
  readonly machineUuid: string;
  readonly privateKey: KeyObject;
  readonly bootId: string;
  seq: number;
  socket: WebSocket | undefined;
  lastHeartbeatMs: number;
}

/** Simulated agents in a process of its own: keys, enrolment, sockets and heartbeats are real, machines are not. */
class Fleet {
  readonly #url: string;
  readonly #ca: string;
  #members: Member[] = [];
  #closes = 0;
  #heartbeats = 0;
  #commands = 0;
  #longestPauseMs = 0;

  constructor(url: string, ca: string) {
    this.#url = url;
    this.#ca = ca;
  }

  async enrol(count: number, token: string): Promise<FleetReply> {
    const dispatcher = new Agent({ connect: { ca: this.#ca }, connections: atOnce });
    const keys = Array.from({ length: count }, () => generateKeyPairSync('ed25519'));
    const startedMs = performance.now();
    this.#members = await inLanes(keys, async ({ publicKey, privateKey }, index) => {
      const { x } = publicKey.export({ format: 'jwk' });
      const facts = {
        hostname: `load-${index}`,
        system_uuid: randomUUID(),
        nics: [{ name: 'eth0', mac: macOf(index) }],
      };
      const response = await undiciFetch(`${this.#url}/api/agent/enroll`, {
        method: 'POST',
        dispatcher,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ token, public_key: { kty: 'OKP', crv: 'Ed25519', x }, facts }),
      });
      if (response.status !== 201) throw new Error(`enrolment answered ${response.status}: ${await response.text()}`);
      const { machine_uuid: machineUuid } = (await response.json()) as { machine_uuid: string };
      return { machineUuid, privateKey, bootId: randomUUID(), seq: 0, socket: undefined, lastHeartbeatMs: 0 };
    });
    const seconds = (performance.now() - startedMs) / 1000;
    await dispatcher.close();
    return { did: 'enrol', machineUuids: this.#members.map(({ machineUuid }) => machineUuid), seconds };
  }

  async connect(heartbeatMs: number): Promise<FleetReply> {
    const startedMs = performance.now();
    let attempts = 0;
    await inLanes(this.#members, async (member) => {
      for (let isOpen = false; !isOpen; ) {
        attempts += 1;
        isOpen = await this.#open(member, heartbeatMs);
      }
    });
    const seconds = (performance.now() - startedMs) / 1000;
    return { did: 'connect', seconds, attempts };
  }

  report(): FleetReply {
    const open = this.#members.filter(({ socket }) => socket?.readyState === WebSocket.OPEN).length;
    return {
      did: 'report',
      open,
      closes: this.#closes,
      heartbeats: this.#heartbeats,
      commands: this.#commands,
      longestPauseMs: this.#longestPauseMs,
    };
  }

  /** True after the welcome. */
  async #open(member: Member, heartbeatMs: number): Promise<boolean> {
    const socket = new WebSocket(`${this.#url.replace(/^http/, 'ws')}/api/agent/connect`, {
      ca: this.#ca,
      perMessageDeflate: false,
    });
    return await new Promise((resolve) => {
      let isWelcome = false;
      socket.on('error', () => undefined);
      socket.on('close', () => {
        if (isWelcome) this.#closes += 1;
        resolve(false);
      });
      socket.on('message', (data) => {
        const frame = JSON.parse(data.toString()) as ServerFrame;
        if (frame.type === 'challenge') socket.send(JSON.stringify(this.#hello(member, frame.nonce)));
        if (frame.type === 'ping') socket.send(JSON.stringify({ type: 'pong', nonce: frame.nonce }));
        if (frame.type === 'command') this.#obey(member, socket, frame.command_uuid);
        if (frame.type !== 'welcome') return;
        isWelcome = true;
        member.socket = socket;
        member.lastHeartbeatMs = performance.now();
        setTimeout(() => this.#beat(member, heartbeatMs), Math.random() * heartbeatMs);
        resolve(true);
      });
    });
  }

  #obey(member: Member, socket: WebSocket, command_uuid: string): void {
    for (const state of ['accepted', 'done']) {
      member.seq += 1;
      const number = { boot_id: member.bootId, seq: member.seq };
      socket.send(JSON.stringify({ type: 'command_reply', ...number, command_uuid, state, reason: null }));
    }
    this.#commands += 1;
  }

  #beat(member: Member, heartbeatMs: number): void {
    const nowMs = performance.now();

    this.#longestPauseMs = Math.max(this.#longestPauseMs, nowMs - member.lastHeartbeatMs);
    member.lastHeartbeatMs = nowMs;
    const memory = { memory_total_bytes: 4 * 1024 ** 3, memory_available_bytes: 3 * 1024 ** 3 };
    const heartbeat = { type: 'heartbeat', uptime_seconds: Math.round(nowMs / 1000), load: [0.1, 0.1, 0.1], ...memory };
    member.socket?.send(JSON.stringify({ ...heartbeat, mode: 'installed' }));
    this.#heartbeats += 1;
    setTimeout(() => this.#beat(member, heartbeatMs), heartbeatMs);
  }

  #hello({ machineUuid, privateKey, bootId }: Member, nonce: string): object {
    const input = helloSignatureInput({ origin: this.#url, machineUuid, bootId, nonce });
    return {
      type: 'hello',
      machine_uuid: machineUuid,
      signature: sign(null, input, privateKey).toString('base64url'),
      agent_version: '0.1.0-load',
      protocol_version: 1,
      boot_id: bootId,
      mode: 'installed',
      installed_provision_uuid: null,
      root_disk: null,
      last_event_seq: 0,
    };
  }
}

/** Works on all items, `atOnce` at a time. */
async function inLanes<T, R>(items: readonly T[], work: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) {
      results[index] = await work(items[index] as T, index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
  return results;
}

function macOf(index: number): string {
  const hex = index.toString(16).padStart(6, '0');
  return `52:54:00:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}`;
}

let fleet: Fleet | undefined;

async function obey(order: FleetOrder): Promise<FleetReply> {
  if (order.do === 'enrol') {
    fleet = new Fleet(order.url, order.ca);
    return await fleet.enrol(order.count, order.token);
  }
  if (fleet === undefined) throw new Error('the fleet has not enrolled');
  return order.do === 'connect' ? await fleet.connect(order.heartbeatMs) : fleet.report();
}

process.on('message', (order: FleetOrder) => {
  obey(order).then(
    (reply) => process.send?.(reply),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
