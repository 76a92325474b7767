import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { openDatabase } from '../../../control-plane/store/open-database.ts';
import { type AgentServer, startAgentServer } from '../../builders/agent-server.ts';
import { insertTestMachine, makeTestIdentity, TestAgent, type TestIdentity } from '../../builders/test-agent.ts';
import { freePort, Resources, waitFor } from '../../resources.ts';

interface Entry {
  readonly boot_id: string;
  readonly seq: number;
  readonly line: string;
}

/** An agent with an outbox, as protocol.md wants it: what is not acknowledged is sent again after each welcome. */
class OutboxAgent {
  readonly #url: string;
  readonly #identity: TestIdentity;
  readonly made: string[] = [];
  readonly dropped = new Set<string>();
  outbox: Entry[] = [];
  #bootId = randomUUID();
  #seq = 0;
  #sockets: TestAgent[] = [];

  constructor(url: string, identity: TestIdentity) {
    this.#url = url;
    this.#identity = identity;
  }

  /** Opens a socket without waiting; an older one stays until the server or the script ends it. */
  connect(): void {
    const agent = new TestAgent({
      url: this.#url,
      identity: this.#identity,
      hello: { boot_id: this.#bootId, last_event_seq: this.#seq },
    });
    agent.socket.on('message', (data) => {
      const frame = JSON.parse(data.toString());
      if (frame.type === 'ack') this.#forget(frame.boot_id, frame.seq);
      if (frame.type !== 'welcome') return;
      this.#forget(agent.bootId, frame.acknowledged_seq);
      this.#sockets.push(agent);
      for (const entry of this.outbox) this.#send(agent, entry);
    });
    agent.socket.on('close', () => {
      this.#sockets = this.#sockets.filter((other) => other !== agent);
    });
  }

  make(count: number): void {
    for (let made = 0; made < count; made += 1) {
      this.#seq += 1;
      const entry = { boot_id: this.#bootId, seq: this.#seq, line: `event ${this.made.length + 1}` };
      this.made.push(entry.line);
      this.outbox.push(entry);
      for (const agent of this.#sockets) this.#send(agent, entry);
    }
  }

  /** Sends everything that is not acknowledged once more. */
  repeat(): void {
    for (const agent of this.#sockets) for (const entry of this.outbox) this.#send(agent, entry);
  }

  /** The outbox was full: a middle part of it is gone, which the server sees as a gap if it has not got it yet. */
  drop(): void {
    for (const { line } of this.outbox.splice(Math.floor(this.outbox.length / 3), 2)) this.dropped.add(line);
  }

  cut(): void {
    for (const agent of this.#sockets) agent.cut();
    this.#sockets = [];
  }

  /** Another boot, which carries the outbox of the former one. */
  reboot(): void {
    this.cut();
    this.#bootId = randomUUID();
    this.#seq = 0;
  }

  #send(agent: TestAgent, { line, ...number }: Entry): void {
    if (agent.socket.readyState === agent.socket.OPEN) {
      agent.send({ type: 'log', ...number, command_uuid: null, lines: [line] });
    }
  }

  #forget(bootId: string, seq: number): void {
    this.outbox = this.outbox.filter((entry) => entry.boot_id !== bootId || entry.seq > seq);
  }
}

const actions = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('make' as const), count: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), turns: fc.integer({ min: 1, max: 20 }) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('connect' as const, 'cut', 'repeat', 'drop', 'reboot', 'crash', 'stop'),
    }),
  },
);

type Action = typeof actions extends fc.Arbitrary<infer T> ? T : never;

/** One server after another on the same port and database. */
class Lives {
  readonly #file: string;
  readonly #port: number;
  #resources = new Resources();
  server: AgentServer | undefined;

  constructor(file: string, port: number) {
    this.#file = file;
    this.#port = port;
  }

  async start(): Promise<AgentServer> {
    const db = openDatabase(this.#file);
    this.server = await startAgentServer(this.#resources, {
      port: this.#port,
      context: { db },
      timing: { closeMs: 50 },
    });
    return this.server;
  }

  /** `crash`: what waits to be written is lost, as with kill -9. */
  async end(how: 'crash' | 'stop'): Promise<void> {
    if (how === 'crash') this.server?.context.db.close();
    await this.#resources[Symbol.asyncDispose]();
    this.#resources = new Resources();
  }
}

async function play(script: readonly Action[], lives: Lives, agent: OutboxAgent): Promise<void> {
  for (const action of script) {
    if (action.do === 'make') agent.make(action.count);
    else if (action.do === 'wait') {
      for (let turn = 0; turn < action.turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    } else if (action.do === 'crash' || action.do === 'stop') {
      await lives.end(action.do);
      await lives.start();
    } else agent[action.do]();
  }
}

test('F62 whatever is cut, repeated, rebooted or restarted: the history is what the agent made, once, in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(actions, { minLength: 3, maxLength: 20 }), async (script) => {
      await using resources = new Resources();
      const port = await freePort();
      const lives = new Lives(join(resources.tempDir(), 'durantic.db'), port);
      const identity = makeTestIdentity();
      const { context, url } = await lives.start();
      resources.defer('end the last server', () => lives.end('stop'));
      insertTestMachine(context, identity);
      const agent = new OutboxAgent(url, identity);
      resources.defer('cut the agent', () => agent.cut());
      agent.connect();
      await play(script, lives, agent);
      agent.cut();
      agent.connect();
      await waitFor('an empty outbox', () => agent.outbox.length === 0, { timeoutMs: 10_000, intervalMs: 5 });
      const rows = lives.server?.context.db.prepare('SELECT lines FROM agent_logs ORDER BY id').all() ?? [];
      const stored = rows.flatMap((row) => JSON.parse(String(row['lines'])) as string[]);
      // What was dropped from the outbox may have reached the server before.
      const expected = agent.made.filter((line) => !agent.dropped.has(line) || stored.includes(line));
      assert.deepEqual(stored, expected);
    }),
    { numRuns: 40 },
  );
});
