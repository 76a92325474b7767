import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { NumberedFrame } from '../../../control-plane/services.ts';
import { closeCodes } from '../../../protocol/agent-frames.ts';
import { type AgentServer, startAgentServer } from '../../builders/agent-server.ts';
import { Resources, waitFor } from '../../resources.ts';

/** A listener that keeps what it is given, and fails where the test says so. */
function recorder(fail: (frame: NumberedFrame) => void = () => undefined) {
  const seen: NumberedFrame[] = [];
  const frame = (_machineUuid: string, numbered: NumberedFrame): void => {
    seen.push(numbered);
    fail(numbered);
  };
  return { seen, listener: { frame } };
}

function rows(server: AgentServer, table: string): Record<string, unknown>[] {
  return server.context.db
    .prepare(`SELECT * FROM ${table}`)
    .all()
    .map((row) => ({ ...row }));
}

const log = (line: string) => ({ type: 'log', command_uuid: null, lines: [line] });

test('frames are given to the listeners in order, once, and acknowledged when they are stored', async () => {
  await using resources = new Resources();
  const { seen, listener } = recorder();
  const server = await startAgentServer(resources, { listeners: [listener] });
  const agent = await server.connect();
  for (let index = 1; index <= 100; index += 1) agent.sendNumbered(log(`line ${index}`));
  await agent.acknowledged(100);
  assert.deepEqual(
    seen.map(({ seq }) => seq),
    Array.from({ length: 100 }, (_, index) => index + 1),
  );
  assert.equal(rows(server, 'agent_logs').length, 100);
  // They arrived together: far fewer transactions and acknowledgements than frames.
  assert.ok(agent.all('ack').length <= 20, `${agent.all('ack').length} acks`);
});

test('repeated frames are acknowledged again and not applied; a gap is allowed', async () => {
  await using resources = new Resources();
  const { seen, listener } = recorder();
  const server = await startAgentServer(resources, { listeners: [listener] });
  const agent = await server.connect();
  agent.send({ ...log('one'), boot_id: agent.bootId, seq: 1 });
  agent.send({ ...log('seven'), boot_id: agent.bootId, seq: 7 });
  await agent.acknowledged(7);
  const acksBefore = agent.all('ack').length;
  agent.send({ ...log('seven again'), boot_id: agent.bootId, seq: 7 });
  await waitFor('another ack', () => agent.all('ack').length > acksBefore);
  agent.send({ ...log('late three'), boot_id: agent.bootId, seq: 3 });
  await waitFor('another ack', () => agent.all('ack').length > acksBefore + 1);
  assert.deepEqual(
    seen.map(({ seq }) => seq),
    [1, 7],
  );
  assert.deepEqual(
    new Set(
      agent
        .all('ack')
        .slice(acksBefore)
        .map(({ seq }) => seq),
    ),
    new Set([7]),
  );
});

test('each boot counts by itself, and the welcome says what is stored of this one', async () => {
  await using resources = new Resources();
  const { seen, listener } = recorder();
  const server = await startAgentServer(resources, { listeners: [listener] });
  const identity = server.newMachine();
  const first = await server.connect({ identity });
  first.sendNumbered(log('a'));
  first.sendNumbered(log('b'));
  await first.acknowledged(2);
  const again = await server.connect({ identity, hello: { boot_id: first.bootId } });
  assert.equal(again.all('welcome')[0]?.acknowledged_seq, 2);
  const rebooted = await server.connect({ identity });
  assert.equal(rebooted.all('welcome')[0]?.acknowledged_seq, 0);
  rebooted.sendNumbered(log('c'));
  // The rest of the former boot's outbox, carried over.
  rebooted.send({ ...log('d'), boot_id: first.bootId, seq: 3 });
  await waitFor('both acks', () => rebooted.all('ack').length >= 2);
  assert.equal(seen.length, 4);
  assert.deepEqual(
    new Set(rebooted.all('ack').map(({ boot_id, seq }) => `${boot_id} ${seq}`)),
    new Set([`${rebooted.bootId} 1`, `${first.bootId} 3`]),
  );
});

test('a frame that a listener cannot take is undone, kept as a dead letter and acknowledged; the others go on', async () => {
  await using resources = new Resources();
  const { listener } = recorder((frame) => {
    if (frame.type === 'log' && frame.lines[0] === 'poison') throw new Error('a defect of a listener');
  });
  const server = await startAgentServer(resources, { listeners: [listener] });
  const agent = await server.connect();
  for (const line of ['before', 'poison', 'after']) agent.sendNumbered(log(line));
  await agent.acknowledged(3);
  assert.deepEqual(
    rows(server, 'agent_logs').map(({ lines }) => lines),
    ['["before"]', '["after"]'],
  );
  const [letter, ...more] = rows(server, 'agent_dead_letters');
  assert.deepEqual(more, []);
  assert.equal(letter?.['seq'], 2);
  assert.equal(letter?.['boot_id'], agent.bootId);
  assert.match(String(letter?.['error']), /a defect of a listener/);
  assert.deepEqual(JSON.parse(String(letter?.['frame'])).lines, ['poison']);
  assert.equal(agent.end, null);
});

test('a numbered frame with wrong fields is refused, kept and acknowledged, so that it does not come for ever', async () => {
  await using resources = new Resources();
  const { seen, listener } = recorder();
  const server = await startAgentServer(resources, { listeners: [listener] });
  const agent = await server.connect();
  const seq = agent.sendNumbered({ type: 'log', command_uuid: 'none', lines: 7 });
  await agent.acknowledged(seq);
  assert.equal(agent.all('refused')[0]?.of, 'log');
  assert.equal(seen.length, 0);
  assert.match(String(rows(server, 'agent_dead_letters')[0]?.['error']), /command_uuid/);
});

test('dead letters are bounded per machine', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const agent = await server.connect();
  let seq = 0;
  for (let index = 0; index < 100; index += 1) seq = agent.sendNumbered({ type: 'log', lines: 'x'.repeat(1000) });
  await agent.acknowledged(seq);
  const letters = rows(server, 'agent_dead_letters');
  assert.equal(letters.length, 32);
  assert.equal(letters.at(-1)?.['seq'], 100);
});

test('nothing is acknowledged that the database refused; the agent is told to come again and nothing is lost', async () => {
  await using resources = new Resources();
  let isFull = true;
  const { listener } = recorder(() => {
    // What SQLite says when the disk is full (result code SQLITE_FULL).
    if (isFull) throw Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 });
  });
  const server = await startAgentServer(resources, { listeners: [listener] });
  const identity = server.newMachine();
  const agent = await server.connect({ identity });
  agent.sendNumbered(log('a'));
  assert.equal((await agent.closed).code, closeCodes.failed);
  assert.equal(agent.all('ack').length, 0);
  assert.deepEqual(rows(server, 'agent_dead_letters'), []);
  isFull = false;
  const back = await server.connect({ identity, hello: { boot_id: agent.bootId } });
  assert.equal(back.all('welcome')[0]?.acknowledged_seq, 0);
  back.sendNumbered(log('a'));
  await back.acknowledged(1);
  assert.equal(rows(server, 'agent_logs').length, 1);
});

test('a real full database: nothing acknowledged, nothing stored, no crash', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const identity = server.newMachine();
  const agent = await server.connect({ identity });
  const { db } = server.context;
  const pages = Number(db.prepare('PRAGMA page_count').get()?.['page_count']);
  db.exec(`PRAGMA max_page_count = ${pages + 2}`);
  agent.sendNumbered({ type: 'log', command_uuid: null, lines: ['x'.repeat(500_000)] });
  assert.equal((await agent.closed).code, closeCodes.failed);
  assert.equal(rows(server, 'agent_logs').length, 0);
  db.exec('PRAGMA max_page_count = 100000');
  const back = await server.connect({ identity, hello: { boot_id: agent.bootId } });
  back.sendNumbered({ type: 'log', command_uuid: null, lines: ['x'.repeat(500_000)] });
  await back.acknowledged(1);
});

test('frames of a machine that was deleted end its socket and disturb no other', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const doomed = await server.connect();
  const other = await server.connect();
  server.context.db.prepare('DELETE FROM machines WHERE uuid = ?').run(doomed.identity.machineUuid);
  doomed.sendNumbered(log('from the dead'));
  const seq = other.sendNumbered(log('alive'));
  await other.acknowledged(seq);
  assert.equal((await doomed.closed).code, closeCodes.unknown_machine);
});

test('collected lines are bounded per machine: the oldest go, and their number is said', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const agent = await server.connect();
  let seq = 0;
  for (let index = 0; index < 12; index += 1) {
    const lines = [`entry ${index}`, 'x'.repeat(500_000)];
    seq = agent.sendNumbered({ type: 'log', command_uuid: randomUUID(), lines });
  }
  await agent.acknowledged(seq);
  const stored = rows(server, 'agent_logs');
  assert.equal(stored.length, 8);
  assert.match(String(stored[0]?.['lines']), /^\["entry 4"/);
  const [totals] = rows(server, 'agent_log_totals');
  assert.equal(totals?.['dropped_lines'], 8);
  assert.equal(
    totals?.['stored_bytes'],
    stored.reduce((sum, row) => sum + Number(row['size_bytes']), 0),
  );
});

test('receipts are kept of the last 64 boots', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const agent = await server.connect();
  for (let boot = 1; boot <= 100; boot += 1) agent.send({ ...log('x'), boot_id: `boot ${boot}`, seq: 1 });
  await waitFor('all acks', () => agent.all('ack').length === 100);
  assert.equal(rows(server, 'agent_receipts').length, 64);
});
