import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { fastTimings, handlersOf, newIdentity, startAgent } from '../../builders/agent-fixture.ts';
import { commandFrame, ScriptedServer } from '../../fakes/scripted-server.ts';
import { Resources, waitFor } from '../../resources.ts';

async function connected(resources: Resources, options: Parameters<typeof ScriptedServer.start>[1] = {}) {
  const server = await ScriptedServer.start(resources, options);
  const identity = newIdentity();
  server.knows(identity.machine_uuid, identity.public_key.x);
  const config = { server: server.origin, plain_http: true };
  return { server, identity, config };
}

test('hello is signed, heartbeats and inventory come, pings are answered, the end is a clean one', async () => {
  await using resources = new Resources();
  const { server, identity, config } = await connected(resources, { heartbeatSeconds: 0.05 });
  const agent = await startAgent(resources, { config, identity, bootId: 'boot-1' });
  const peer = await server.nextPeer(1);
  assert.equal(peer.hello.boot_id, 'boot-1');
  assert.equal(peer.hello.last_event_seq, 0);
  assert.ok(peer.hello.hostname);
  await waitFor('three heartbeats', () => peer.frames.filter(({ type }) => type === 'heartbeat').length >= 3);
  await waitFor('the inventory', () => peer.frames.some(({ type }) => type === 'inventory'));
  const beat = peer.frames.find((frame) => frame.type === 'heartbeat');
  assert.ok(beat?.type === 'heartbeat' && beat.memory_total_bytes > 0 && beat.uptime_seconds > 0);
  peer.send({ type: 'ping', nonce: 'abc' });
  await waitFor('the pong', () => peer.frames.some((frame) => frame.type === 'pong' && frame.nonce === 'abc'));
  const closed = new Promise<number>((resolve) => peer.socket.once('close', resolve));
  const before = performance.now();
  await agent.stop();
  assert.ok(performance.now() - before < 1000, 'the end takes too long');
  assert.equal(await closed, 1000);
  assert.equal(peer.frames.filter(({ type }) => type === 'inventory').length, 1, 'nothing has changed');
  assert.deepEqual(server.problems, []);
});

const refusals: readonly (readonly [number, string])[] = [
  [4404, 'machine_unknown'],
  [4401, 'agent_refused'],
  [4426, 'protocol_unsupported'],
  [4409, 'agent_replaced'],
  [1001, 'link_lost'],
  [4429, 'link_lost'],
];
for (const [closeCode, code] of refusals) {
  test(`close code ${closeCode} is ${code}, said once while it repeats itself, and tried again`, async () => {
    await using resources = new Resources();
    const { server, identity, config } = await connected(resources);
    server.onPeer = (peer) => peer.close(closeCode, 'because\nof this');
    const agent = await startAgent(resources, { config, identity, timings: { ...fastTimings, replacedMs: 5 } });
    const first = await agent.event('disconnected');
    assert.equal(first.code, code);
    assert.match(first.message, /the server 127\.0\.0\.1:\d+ .*\(because of this\)$/);
    await agent.event('disconnected', 3);
    const all = agent.events.flatMap((event) => (event.kind === 'disconnected' ? [event.isNew] : []));
    assert.deepEqual(all.slice(0, 3), [true, false, false]);
  });
}

test('after another agent with the same key took over, the wait is long', async () => {
  await using resources = new Resources();
  const { server, identity, config } = await connected(resources);
  server.onPeer = (peer) => peer.close(4409, 'replaced');
  const agent = await startAgent(resources, { config, identity, timings: { ...fastTimings, replacedMs: 60_000 } });
  const { retryInMs } = await agent.event('disconnected');
  assert.ok(retryInMs >= 60_000 && retryInMs <= 120_000, `${retryInMs} ms`);
});

test('an end that the caller asked for is thrown: the installer enrols anew', async () => {
  await using resources = new Resources();
  const { server, identity, config } = await connected(resources);
  server.onPeer = (peer) => peer.close(4404, 'gone');
  const agent = await startAgent(resources, { config, identity, endOn: ['machine_unknown'] });
  await assert.rejects(agent.ended, { code: 'machine_unknown' });
});

test('a server that asks for fewer connections gets the wait it asks for', async () => {
  await using resources = new Resources();
  const { identity, config } = await connected(resources, {
    onUpgrade: (_request, socket) => {
      socket.end('HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return true;
    },
  });
  const agent = await startAgent(resources, { config, identity });
  const { code, retryInMs, message } = await agent.event('disconnected');
  assert.equal(code, 'server_rate_limited');
  assert.match(message, /7 s/);
  assert.ok(retryInMs >= 7000 && retryInMs < 9000, `${retryInMs} ms`);
});

test('a server that is silent, at once or later, is given up and tried again', async () => {
  await using resources = new Resources();
  const { identity, config } = await connected(resources, { onUpgrade: () => true });
  const agent = await startAgent(resources, { config, identity, timings: { ...fastTimings, stepTimeoutMs: 100 } });
  const silent = await agent.event('disconnected');
  assert.equal(silent.code, 'server_unreachable');
  await agent.event('disconnected', 2);
});

test('F63 the agent: frames that are no frames close the socket with a code, unknown ones do not', async () => {
  await using resources = new Resources();
  const { server, identity, config } = await connected(resources);
  const agent = await startAgent(resources, { config, identity });
  const first = await server.nextPeer(1);
  first.send({ type: 'surprise', anything: [1] });
  first.send({ type: 'ack', boot_id: 7 });
  first.send({ type: 'refused', of: 'heartbeat', reason: 'why\u001b[31m not' });
  await agent.event('oddity', 3);
  const texts = agent.events.flatMap((event) => (event.kind === 'oddity' ? [event.message] : []));
  assert.match(texts[0] ?? '', /surprise/);
  assert.match(texts[1] ?? '', /ack.*boot_id/);
  assert.equal(texts[2], 'the server refused a frame (heartbeat): why [31m not');
  const codes: number[] = [];
  for (const [index, garbage] of ['{', '[]', '"x"', '{"type":1}', Buffer.from([1, 2, 3])].entries()) {
    const peer = await server.nextPeer(index + 1);
    const closed = new Promise<number>((resolve) => peer.socket.once('close', resolve));
    peer.socket.send(garbage);
    codes.push(await closed);
  }
  const peer = await server.nextPeer(6);
  const closed = new Promise<number>((resolve) => peer.socket.once('close', resolve));
  peer.socket.send('x'.repeat(1024 * 1024 + 1));
  codes.push(await closed);
  assert.deepEqual(codes, [4400, 4400, 4400, 4400, 4400, 1009]);
  await server.nextPeer(7);
});

test('a server that speaks another version is said to', async () => {
  await using resources = new Resources();
  const { identity, config } = await connected(resources, { challenge: { protocol_version: 9 } });
  const agent = await startAgent(resources, { config, identity });
  const event = await agent.event('disconnected');
  assert.equal(event.code, 'protocol_unsupported');
  assert.match(event.message, /version 9 .* version 1/);
});

test('a server that gives no sign of life is left', { timeout: 30_000 }, async () => {
  await using resources = new Resources();
  const { server, identity, config } = await connected(resources, { heartbeatSeconds: 0.01 });
  // Reads nothing and answers nothing, and the connection stays open.
  server.onPeer = (peer) => {
    if (server.peers.length === 1) peer.socket.pause();
  };
  const agent = await startAgent(resources, { config, identity, timings: { ...fastTimings, graceMs: 200 } });
  const event = await agent.event('disconnected');
  assert.equal(event.code, 'link_lost');
  assert.match(event.message, /no sign of life/);
  await server.nextPeer(2);
});

test('what waits for a server that does not read is bounded, and arrives when it reads', {
  timeout: 60_000,
}, async () => {
  await using resources = new Resources();
  const { server, identity, config } = await connected(resources);
  server.acknowledges = false;
  const agent = await startAgent(resources, { config, identity });
  const peer = await server.nextPeer(1);
  peer.socket.pause();
  const lines = Array.from({ length: 64 }, () => 'x'.repeat(2000));
  for (let index = 0; index < 60; index += 1) agent.context.report({ type: 'log', command_uuid: null, lines });
  const { outbox } = agent;
  const total = outbox.bytes;
  assert.ok(total > 7_000_000);
  const sent = (): number => [...server.stored.values()].reduce((sum, frames) => sum + frames.size, 0);
  peer.socket.resume();
  await waitFor('the window to fill', () => sent() > 10);
  // Frames come in order: what the agent sent before a pong has arrived with it.
  for (const nonce of ['1', '2', '3']) {
    peer.send({ type: 'ping', nonce });
    await waitFor('a pong', () => peer.frames.some((frame) => frame.type === 'pong' && frame.nonce === nonce));
  }
  // 2 MiB may be on their way without an acknowledgement: 17 frames of 128 KB, however long one waits.
  assert.ok(sent() <= 18, `${sent()} frames`);
  server.acknowledges = true;
  peer.send({ type: 'ack', boot_id: outbox.bootId, seq: sent() });
  await waitFor('everything to arrive', () => sent() === 60 && outbox.size === 0, { timeoutMs: 20_000 });
});

test('commands go out again after a reconnect and are applied once', async () => {
  await using resources = new Resources();
  const { server, identity, config } = await connected(resources);
  let runs = 0;
  const agent = await startAgent(resources, {
    config,
    identity,
    handlers: handlersOf({
      CollectLogs: {
        run: async () => {
          runs += 1;
          return { state: 'done', reason: 'collected' };
        },
      },
    }),
  });
  const frame = commandFrame('CollectLogs', { since: null });
  server.onPeer = (peer) => {
    peer.send(frame);
    peer.send(frame);
  };
  const first = await server.nextPeer(1);
  if (first.frames.length === 0) first.send(frame);
  await waitFor('the outcome', () => server.storedOf('command_reply').some(({ state }) => state === 'done'));
  first.socket.terminate();
  await server.nextPeer(2);
  await waitFor(
    'the outcome again',
    () => server.storedOf('command_reply').filter(({ state }) => state === 'done').length >= 2,
  );
  assert.equal(runs, 1);
  assert.equal(agent.events.filter(({ kind }) => kind === 'command_ended').length, 1);
  assert.equal(new Set(server.storedOf('command_reply').map(({ command_uuid }) => command_uuid)).size, 1);
});

test('a report waits for the server, with its number, and flush says when it is there', async () => {
  await using resources = new Resources();
  const { server, identity, config } = await connected(resources);
  server.acknowledges = false;
  const agent = await startAgent(resources, { config, identity });
  await server.nextPeer(1);
  agent.context.report({ type: 'cloud_init_result', provision_uuid: randomUUID(), status: 'done', errors: [] });
  assert.equal(await agent.context.flush(50), false);
  server.acknowledges = true;
  for (const peer of server.peers) peer.socket.terminate();
  assert.equal(await agent.context.flush(10_000), true);
  assert.equal(server.storedOf('cloud_init_result').length, 1);
  assert.equal(server.storedOf('cloud_init_result')[0]?.seq, 1);
});
