import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { LiveEvent } from '../../../control-plane/live/event-bus.ts';
import { closeCodes, maxFrameBytes } from '../../../protocol/agent-frames.ts';
import { type AgentServer, startAgentServer } from '../../builders/agent-server.ts';
import { FakeClock } from '../../builders/server-context.ts';
import { Resources, waitFor } from '../../resources.ts';

function storedLastSeen(server: AgentServer, machineUuid: string): unknown {
  return server.context.db.prepare('SELECT last_seen_at FROM machines WHERE uuid = ?').get(machineUuid)?.[
    'last_seen_at'
  ];
}

test('a newer socket of a machine replaces the older one', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const identity = server.newMachine();
  const older = await server.connect({ identity });
  const newer = await server.connect({ identity });
  assert.equal((await older.closed).code, closeCodes.replaced);
  assert.ok(server.sockets.hub.isConnected(identity.machineUuid));
  assert.ok(server.sockets.hub.send(identity.machineUuid, { type: 'ping', nonce: 'who' }));
  assert.equal((await newer.next('ping')).nonce, 'who');
  assert.equal(server.sockets.counts().connected, 1);
});

test('heartbeats are in memory at once and in the database with the next flush', async () => {
  await using resources = new Resources();
  const clock = new FakeClock();
  const server = await startAgentServer(resources, { context: { clock }, timing: { flushMs: 20 } });
  const agent = await server.connect();
  const { machineUuid } = agent.identity;
  assert.equal(server.sockets.hub.lastSeenAt(machineUuid), clock.now());
  clock.advance(7_000);
  agent.sendHeartbeat();
  await waitFor('the heartbeat', () => server.sockets.hub.lastSeenAt(machineUuid) === clock.now());
  const expected = new Date(clock.now()).toISOString();
  await waitFor('the flush', () => storedLastSeen(server, machineUuid) === expected);
});

test('the last heartbeat is stored when the socket closes', async () => {
  await using resources = new Resources();
  const clock = new FakeClock();
  const server = await startAgentServer(resources, { context: { clock } });
  const changes: LiveEvent[] = [];
  const agent = await server.connect();
  const { machineUuid } = agent.identity;
  server.context.events.subscribe((event) => changes.push(event));
  clock.advance(3_000);
  agent.sendHeartbeat();
  await waitFor('the heartbeat', () => server.sockets.hub.lastSeenAt(machineUuid) === clock.now());
  agent.cut();
  await waitFor('the disconnect', () => changes.length > 0);
  assert.equal(storedLastSeen(server, machineUuid), new Date(clock.now()).toISOString());
  assert.equal(server.sockets.hub.isConnected(machineUuid), false);
  assert.equal(server.sockets.hub.lastSeenAt(machineUuid), clock.now());
  assert.deepEqual(changes, [{ type: 'machine', uuid: machineUuid }]);
});

test('a machine that never came has no last time', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  assert.equal(server.sockets.hub.lastSeenAt(server.newMachine().machineUuid), null);
  assert.equal(server.sockets.hub.lastSeenAt(randomUUID()), null);
});

test('a silent agent is pinged and then closed with 4408; one that answers stays', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources, { timing: { sweepMs: 20, silentSweeps: 6 } });
  const silent = await server.connect({ answersPings: false });
  const lively = await server.connect();
  assert.equal((await silent.closed).code, closeCodes.timeout);
  assert.equal(silent.all('ping').length, 1);
  await lively.next('ping', 4);
  assert.equal(lively.end, null);
});

test('answersPing is true for an agent that answers, false for one that does not or is not there', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const { hub } = server.sockets;
  const lively = await server.connect();
  const dead = await server.connect({ answersPings: false });
  const leaving = await server.connect({ answersPings: false });
  assert.equal(await hub.answersPing(lively.identity.machineUuid, 5_000), true);
  assert.equal(await hub.answersPing(dead.identity.machineUuid, 50), false);
  assert.equal(await hub.answersPing(randomUUID(), 50), false);
  const asked = hub.answersPing(leaving.identity.machineUuid, 60_000);
  leaving.cut();
  assert.equal(await asked, false);
});

test('disconnect closes with the given code, and the machine is not connected any more', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const agent = await server.connect();
  const { machineUuid } = agent.identity;
  server.sockets.hub.disconnect(machineUuid, closeCodes.unknown_machine, `deleted: ${'ä'.repeat(200)}`);
  assert.equal(server.sockets.hub.isConnected(machineUuid), false);
  assert.equal(server.sockets.hub.send(machineUuid, { type: 'ping', nonce: 'x' }), false);
  const { code, reason } = await agent.closed;
  assert.equal(code, closeCodes.unknown_machine);
  assert.match(reason, /^deleted: ä+…$/);
});

test('frames that are not JSON, not an object or not text close with 4400', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  for (const bad of ['{', 'null', '7', '[]', '""', '', Buffer.from('{"type":"pong","nonce":"x"}')]) {
    const agent = await server.connect();
    agent.send(bad);
    assert.equal((await agent.closed).code, closeCodes.malformed, String(bad));
  }
});

test('text that is not UTF-8 closes with 1007', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const agent = await server.connect();
  agent.socket.send(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), { binary: false });
  assert.equal((await agent.closed).code, 1007);
});

test('F63 a frame above 1 MiB of garbage closes with 1009, one of 1 MiB with 4400', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const tooBig = await server.connect();
  tooBig.send('x'.repeat(maxFrameBytes + 1));
  assert.equal((await tooBig.closed).code, closeCodes.too_big);
  const garbage = await server.connect();
  garbage.send('x'.repeat(maxFrameBytes));
  assert.equal((await garbage.closed).code, closeCodes.malformed);
  await waitFor('both to be gone', () => server.sockets.counts().connected === 0);
});

test('F63 unknown types and wrong fields are refused by name, the socket stays, and refusals are limited', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources, { limits: { refusals: { capacity: 3, perSecond: 0 } } });
  const agent = await server.connect();
  agent.send({ type: 'teleport' });
  agent.send({ type: '__proto__' });
  agent.send({ type: 'heartbeat', uptime_seconds: -1 });
  for (let index = 0; index < 50; index += 1) agent.send({});
  agent.sendHeartbeat();
  const seq = agent.sendNumbered({ type: 'log', command_uuid: null, lines: ['still here'] });
  await agent.acknowledged(seq);
  assert.deepEqual(
    agent.all('refused').map(({ of }) => of),
    ['teleport', '__proto__', 'heartbeat'],
  );
  assert.match(agent.all('refused')[2]?.reason ?? '', /uptime_seconds/);
});

test('an agent that floods is closed with 4429; thousands of frames of an outbox pass', async () => {
  await using resources = new Resources();
  const clock = new FakeClock();
  const server = await startAgentServer(resources, { context: { clock } });
  const backlog = await server.connect();
  let last = 0;
  for (let index = 0; index < 10_000; index += 1) {
    last = backlog.sendNumbered({ type: 'log', command_uuid: null, lines: [`line ${index}`] });
  }
  await backlog.acknowledged(last, 30_000);
  assert.equal(backlog.end, null);
  assert.ok(backlog.all('ack').length < 5_000, `${backlog.all('ack').length} acks: frames are not taken together`);
  const flood = await server.connect();
  for (let index = 0; index < 21_000; index += 1) flood.send('{"type":"x"}');
  assert.equal((await flood.closed).code, closeCodes.overload);
});

test('an agent that does not read is cut off', async () => {
  await using resources = new Resources();
  const limits = { unsentSweepBytes: 64 * 1024, unsentBytes: 1024 ** 3 };
  const server = await startAgentServer(resources, { timing: { sweepMs: 30, silentSweeps: 1000 }, limits });
  const agent = await server.connect();
  const { machineUuid } = agent.identity;
  agent.socket.pause();
  const nonce = 'x'.repeat(256 * 1024);
  for (let sent = 0; sent < 64; sent += 1) server.sockets.hub.send(machineUuid, { type: 'ping', nonce });
  await waitFor('the end of the socket', () => server.sockets.counts().connected === 0);
  agent.cut();
});

test('settings go to a connected machine at once, and to another with its next welcome', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const { db } = server.context;
  const pending = (uuid: string): unknown =>
    db.prepare('SELECT pending_config_push FROM machines WHERE uuid = ?').get(uuid)?.['pending_config_push'];
  const agent = await server.connect();
  const config = { auto_update: true, mesh: null };
  server.sockets.hub.pushConfig(agent.identity.machineUuid, config);
  assert.deepEqual((await agent.next('config')).config, config);
  assert.equal(pending(agent.identity.machineUuid), 0);
  const away = server.newMachine();
  db.prepare('UPDATE machines SET auto_update = 1 WHERE uuid = ?').run(away.machineUuid);
  server.sockets.hub.pushConfig(away.machineUuid, config);
  assert.equal(pending(away.machineUuid), 1);
  const back = await server.connect({ identity: away });
  assert.deepEqual(back.all('welcome')[0]?.config, config);
  assert.equal(pending(away.machineUuid), 0);
});

test('a server that stops says 1001, stores what it knows and takes no new socket', async () => {
  await using resources = new Resources();
  const clock = new FakeClock();
  const server = await startAgentServer(resources, { context: { clock } });
  const agents = [await server.connect(), await server.connect(), await server.connect({ until: 'challenge' })];
  const stuck = await server.connect();
  stuck.socket.pause();
  clock.advance(5_000);
  agents[0]?.sendHeartbeat();
  const machineUuid = agents[0]?.identity.machineUuid ?? '';
  await waitFor('the heartbeat', () => server.sockets.hub.lastSeenAt(machineUuid) === clock.now());
  const startedMs = performance.now();
  await server.sockets.close();
  assert.ok(performance.now() - startedMs < 4_000);
  for (const agent of agents) assert.equal((await agent.closed).code, closeCodes.going_away);
  assert.equal(storedLastSeen(server, machineUuid), new Date(clock.now()).toISOString());
  await assert.rejects(server.connect());
});
