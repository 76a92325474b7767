import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { closeCodes, maxFrameBytes } from '../../../protocol/agent-frames.ts';
import { anyJson, brokenJson, mutatedJson } from '../../builders/fuzz-json.ts';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import { connectTestAgent, insertTestMachine, type TestAgent, type TestIdentity } from '../../builders/test-agent.ts';
import { liveBytes, watchProcess } from '../../builders/watch-process.ts';
import { Resources, waitFor } from '../../resources.ts';

/** Agents at a time, so that their commits share an fsync. */
const laneCount = 10;
const framesPerRun = 100;
const runs = 125;
/** Of both halves together. */
const frameCount = framesPerRun * runs * 2;

/** All machines have a run and a command with these UUIDs in turn. */
const runUuids = Array.from({ length: laneCount }, () => randomUUID());
const commandUuids = Array.from({ length: laneCount }, () => randomUUID());
const bootId = randomUUID();

const runSettings = JSON.stringify({
  hostname: 'node-1',
  target_disk: null,
  inject_agent: true,
  kexec_installer: false,
});

const number = fc.record({ boot_id: fc.constantFrom(bootId, 'server', ''), seq: fc.nat({ max: 2 ** 31 }) });
const uuid = fc.constantFrom(...runUuids, ...commandUuids, randomUUID());

const event = fc.record({
  v: fc.constant(1),
  seq: fc.nat({ max: 500 }),
  time: fc.constant('2026-11-20T12:00:00Z'),
  provision_uuid: fc.constantFrom(...runUuids, randomUUID()),
  step: fc.constantFrom('layer_extraction', 'sync_and_reboot', null),
  state: fc.constantFrom('started', 'progress', 'succeeded', 'warning', 'failed', 'aborted'),
  percent: fc.integer({ min: 0, max: 100 }),
  bytes_done: fc.constantFrom(null, 5),
  bytes_total: fc.constantFrom(null, 10),
  rate_bps: fc.constantFrom(null, 1.5),
  message: fc.string(),
  facts: fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.constant(null), fc.array(fc.string()))),
});

const bodies: readonly fc.Arbitrary<object>[] = [
  fc.record({ type: fc.constant('provision_event'), event }),
  fc.record({
    type: fc.constant('provision_result'),
    provision_uuid: uuid,
    outcome: fc.constantFrom('booting', 'failed', 'aborted'),
    code: fc.constantFrom(null, 'device_io'),
    message: fc.string(),
    disk_state: fc.constantFrom('untouched', 'partial', 'complete', null),
  }),
  fc.record({
    type: fc.constant('command_reply'),
    command_uuid: uuid,
    state: fc.constantFrom('accepted', 'rejected', 'done', 'failed'),
    reason: fc.constantFrom(null, 'because'),
  }),
  fc.record({
    type: fc.constant('log'),
    command_uuid: fc.constantFrom(null, ...commandUuids),
    lines: fc.array(fc.string()),
  }),
  fc.record({
    type: fc.constant('cloud_init_result'),
    provision_uuid: uuid,
    status: fc.constantFrom('done', 'error', 'absent'),
    errors: fc.array(fc.string()),
  }),
  fc.record({ type: fc.constant('pong'), nonce: fc.string({ maxLength: 60 }) }),
  fc.record({
    type: fc.constant('heartbeat'),
    uptime_seconds: fc.nat(),
    load: fc.constant([0, 0, 0]),
    memory_total_bytes: fc.nat(),
    memory_available_bytes: fc.nat(),
    mode: fc.constantFrom('installer', 'installed'),
  }),
  fc.record({
    type: fc.constant('inventory'),
    inventory: fc.record({
      cpu: fc.constant({ model: null, sockets: 1, cores: 1, threads: 1 }),
      memory_bytes: fc.nat(),
      disks: fc.constant([]),
      nics: fc.array(
        fc.record({
          name: fc.string({ maxLength: 60 }),
          mac: fc.constantFrom(null, '52:54:00:00:00:01'),
          driver: fc.constant(null),
          speed_mbps: fc.constant(null),
          has_carrier: fc.boolean(),
          addresses: fc.array(fc.ipV4(), { maxLength: 3 }),
        }),
        { maxLength: 3 },
      ),
      gpus: fc.constant([]),
      firmware: fc.constant({ kind: 'uefi', vendor: null, version: null, secure_boot: null }),
      virtualisation: fc.constant(null),
      kernel: fc.constant(null),
      os: fc.constant(null),
    }),
  }),
];

const validFrame = fc.tuple(fc.oneof(...bodies), number).map(([body, numbering]) => ({ ...numbering, ...body }));

const frame: fc.Arbitrary<string | Uint8Array> = fc.oneof(
  { weight: 6, arbitrary: mutatedJson(validFrame) },
  { weight: 2, arbitrary: anyJson },
  { weight: 1, arbitrary: brokenJson(validFrame) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }) },
);

/** The rule of the protocol, written independently of the server: the code that ends the socket, null when it stays. */
function endOf(data: string | Uint8Array): number | null {
  if (Buffer.byteLength(data) > maxFrameBytes) return closeCodes.too_big;
  if (typeof data !== 'string') return closeCodes.malformed;
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? null : closeCodes.malformed;
  } catch {
    return closeCodes.malformed;
  }
}

/** One machine's agent, which connects again whenever its socket was closed. */
class Lane {
  readonly #server: TestServer;
  readonly #identity: TestIdentity;
  #agent: TestAgent | undefined;

  constructor(server: TestServer, index: number) {
    this.#server = server;
    this.#identity = insertTestMachine(server.context);
    const { machineUuid } = this.#identity;
    const now = new Date().toISOString();
    server.context.db
      .prepare(
        `INSERT INTO provisions (uuid, machine_uuid, mode, status, current_step, current_message, progress_percent, args,
         image_reference, created_at)
         VALUES (?, ?, 'rebuild', 'in_progress', 'image_inspection', '', 0, ?, 'registry.test/os:1', ?)`,
      )
      .run(runUuids[index] ?? '', machineUuid, runSettings, now);
    server.context.db
      .prepare(
        `INSERT INTO commands (uuid, machine_uuid, kind, args, status, created_at)
         VALUES (?, ?, 'Reboot', '{}', 'queued', ?)`,
      )
      .run(commandUuids[index] ?? '', machineUuid, now);
  }

  /** Sends each frame, checks what becomes of the socket, and at the end that the server still listens to this machine. */
  async feed(frames: readonly (string | Uint8Array)[]): Promise<void> {
    for (const data of frames) {
      const agent = await this.#connected();
      agent.send(data);
      const end = endOf(data);
      if (end === null) continue;
      assert.equal((await agent.closed).code, end, String(data).slice(0, 200));
      this.#agent = undefined;
    }
    const agent = await this.#connected();
    const last = { boot_id: randomUUID(), seq: 1 };
    agent.send({ type: 'log', ...last, command_uuid: null, lines: [] });
    await waitFor('the last ack', () => agent.all('ack').some(({ boot_id }) => boot_id === last.boot_id), {
      timeoutMs: 20_000,
      intervalMs: 5,
    });
  }

  /** The frame in place of a hello. */
  async greet(data: string | Uint8Array): Promise<void> {
    const stranger = await connectTestAgent({ url: this.#server.url, identity: this.#identity, until: 'challenge' });
    stranger.send(data);
    const { code } = await stranger.closed;
    // 1006: too many bytes for somebody who has not said hello.
    const ends: readonly number[] = [closeCodes.malformed, closeCodes.version, closeCodes.too_big, 1006];
    assert.ok(ends.includes(code), `${code} after ${String(data).slice(0, 200)}`);
  }

  cut(): void {
    this.#agent?.cut();
  }

  async #connected(): Promise<TestAgent> {
    this.#agent ??= await connectTestAgent({
      url: this.#server.url,
      identity: this.#identity,
      hello: { boot_id: bootId },
    });
    return this.#agent;
  }
}

test(`${frameCount} malformed frames: each closes with its code or leaves the socket open; nothing fails or grows`, async () => {
  await using resources = new Resources();
  const { log, failures } = watchProcess(resources);
  const server = await startTestServer(resources, { log, settings: { tls: { kind: 'none' } } });
  const lanes = Array.from({ length: laneCount }, (_, index) => new Lane(server, index));
  resources.defer('cut the agents', () => {
    for (const lane of lanes) lane.cut();
  });
  let sent = 0;
  const property = fc.asyncProperty(
    fc.array(frame, { minLength: framesPerRun, maxLength: framesPerRun }),
    async (frames) => {
      await Promise.all(
        lanes.map(async (lane, index) => {
          const own = frames.filter((_, place) => place % laneCount === index);
          await lane.feed(own);
          if (index === 0) await lane.greet(own[0] ?? '');
        }),
      );
      sent += frames.length;
      // Taken out, so that the next (smaller) example is judged by itself.
      assert.equal(failures.splice(0)[0], undefined);
    },
  );
  await fc.assert(property, { numRuns: runs, endOnFailure: true });
  const half = await liveBytes();
  await fc.assert(property, { numRuns: runs, endOnFailure: true });
  const grown = (await liveBytes()) - half;
  assert.equal(sent, frameCount);
  // Frames of every fate were among them: applied by the parts behind the sockets, and kept because of their fields.
  for (const table of ['provision_events', 'agent_logs', 'agent_dead_letters', 'machine_events']) {
    const row = server.context.db.prepare(`SELECT count(*) AS n FROM ${table}`).get();
    assert.ok(Number(row?.['n']) > 0, `nothing reached ${table}`);
  }
  assert.ok(grown < 6 * 1024 * 1024, `memory grew by ${grown} bytes in the second half`);
});
