import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { test } from 'node:test';
import { closeCodes } from '../../../protocol/agent-frames.ts';
import { type AgentServer, startAgentServer } from '../../builders/agent-server.ts';
import { connectTestAgent, makeTestIdentity, TestAgent } from '../../builders/test-agent.ts';
import { Resources, waitFor } from '../../resources.ts';

function machineRow(server: AgentServer, machineUuid: string): Record<string, unknown> {
  return { ...server.context.db.prepare('SELECT * FROM machines WHERE uuid = ?').get(machineUuid) };
}

/** The answer to raw bytes, until the server closes. */
async function rawExchange(server: AgentServer, text: string): Promise<string> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.write(text);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function upgradeRequest(path: string, headers: readonly string[] = ['Upgrade: websocket']): string {
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13';
  return `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n${headers.join('\r\n')}\r\n${key}\r\n\r\n`;
}

test('a machine with its key is welcomed, and what it says about itself is stored', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const provision = randomUUID();
  const agent = await server.connect({
    hello: {
      mode: 'installed',
      hostname: 'rack-7',
      addresses: ['192.0.2.7', 'not an address', '2001:db8::7'],
      installed_provision_uuid: provision,
      agent_version: '9.9',
    },
  });
  const [challenge] = agent.all('challenge');
  assert.equal(Buffer.from(challenge?.nonce ?? '', 'base64url').length, 32);
  const [welcome] = agent.all('welcome');
  assert.equal(welcome?.heartbeat_seconds, 10);
  assert.equal(welcome?.acknowledged_seq, 0);
  assert.deepEqual(welcome?.config, { auto_update: false, mesh: null });
  const row = machineRow(server, agent.identity.machineUuid);
  assert.equal(row['hostname'], 'rack-7');
  assert.equal(row['mode'], 'installed');
  assert.equal(row['boot_id'], agent.bootId);
  assert.equal(row['agent_version'], '9.9');
  assert.equal(row['installed_provision_uuid'], provision);
  assert.deepEqual(JSON.parse(String(row['discovered_ip_addresses'])), ['192.0.2.7', '2001:db8::7']);
  assert.ok(server.sockets.hub.isConnected(agent.identity.machineUuid));
  assert.deepEqual(server.sockets.counts(), { connected: 1, waiting: 0 });
});

test('an installer changes neither the hostname nor what is installed', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const identity = server.newMachine();
  const installed = randomUUID();
  server.context.db.prepare('UPDATE machines SET installed_provision_uuid = ?').run(installed);
  await server.connect({ identity, hello: { mode: 'installer', hostname: 'installer' } });
  const row = machineRow(server, identity.machineUuid);
  assert.equal(row['hostname'], 'new-machine');
  assert.equal(row['installed_provision_uuid'], installed);
  assert.equal(row['mode'], 'installer');
});

test('a hostname that the operator chose is kept', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const identity = server.newMachine();
  server.context.db.prepare('UPDATE machines SET hostname = ?1, chosen_hostname = ?1').run('chosen');
  await server.connect({ identity, hello: { mode: 'installed', hostname: 'reported' } });
  assert.equal(machineRow(server, identity.machineUuid)['hostname'], 'chosen');
});

test('names that say nothing or would upset a terminal are not taken', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  for (const hostname of ['localhost', 'localhost.localdomain', '\u001b[31mred', '', '-x']) {
    const agent = await server.connect({ hello: { mode: 'installed', hostname } });
    assert.equal(machineRow(server, agent.identity.machineUuid)['hostname'], 'new-machine', hostname);
  }
});

test('every public URL is an origin that may be signed, and no other', async () => {
  await using resources = new Resources();
  const publicUrls: string[] = ['https://elsewhere.test:8443'];
  const server = await startAgentServer(resources, { context: { publicUrls } });
  const identity = server.newMachine();
  const refused = new TestAgent({ url: server.url, identity });
  assert.equal((await refused.closed).code, closeCodes.unauthorized);
  publicUrls.push(server.url, 'https://behind-a-proxy.test');
  await server.connect({ identity });
  // The Host header says nothing about this one.
  await server.connect({ identity, origin: 'https://behind-a-proxy.test' });
});

test('a wrong key, another machine, another version and another nonce are refused with their codes', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const identity = server.newMachine();
  const refusal = async (fields: Record<string, unknown>, as = identity): Promise<number> => {
    const agent = await server.connect({ identity: as, until: 'challenge' });
    agent.sendHello(fields);
    return (await agent.closed).code;
  };
  assert.equal(await refusal({}, makeTestIdentity(identity.machineUuid)), closeCodes.unauthorized);
  assert.equal(await refusal({}, makeTestIdentity()), closeCodes.unknown_machine);
  assert.equal(await refusal({ protocol_version: 2, signature: 'of another form' }), closeCodes.version);
  assert.equal(await refusal({ boot_id: 'another boot' }), closeCodes.unauthorized);
  assert.equal(await refusal({ signature: 'A'.repeat(86) }), closeCodes.unauthorized);
  assert.equal(await refusal({ signature: 7 }), closeCodes.malformed);
  assert.equal(await refusal({ type: 'heartbeat' }), closeCodes.malformed);
  assert.equal(server.sockets.hub.isConnected(identity.machineUuid), false);
});

test('a hello of another socket is not accepted: the nonce is new each time', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const identity = server.newMachine();
  const sent: string[] = [];
  const first = await server.connect({ identity, until: 'challenge' });
  const send = first.socket.send.bind(first.socket);
  first.socket.send = (data: string) => {
    sent.push(data);
    send(data);
  };
  first.sendHello();
  await first.next('welcome');
  const second = await server.connect({ identity, until: 'challenge' });
  second.send(sent[0] ?? '');
  assert.equal((await second.closed).code, closeCodes.unauthorized);
  assert.equal(first.end, null);
});

test('a machine known by its MAC only has no key and cannot connect', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const identity = server.newMachine();
  server.context.db.prepare('UPDATE machines SET public_key = NULL').run();
  await assert.rejects(server.connect({ identity }), /4404/);
});

test('who says no hello in time is closed with 4408', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources, { timing: { helloMs: 60 } });
  const agent = await server.connect({ until: 'challenge' });
  assert.equal((await agent.closed).code, closeCodes.timeout);
  await waitFor('the place to be free', () => server.sockets.counts().waiting === 0);
});

test('other upgrades are refused with an HTTP status', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const path = '/api/agent/connect';
  assert.match(await rawExchange(server, upgradeRequest('/api/other')), /^HTTP\/1\.1 404 .*"detail"/s);
  assert.match(await rawExchange(server, upgradeRequest(path, ['Upgrade: h2c'])), /^HTTP\/1\.1 400 /);
  assert.match(await rawExchange(server, upgradeRequest(path).replace('GET', 'POST')), /^HTTP\/1\.1 405 /);
  assert.match(
    await rawExchange(server, upgradeRequest(path).replace(/Sec-WebSocket-Key.*\r\n/, '')),
    /^HTTP\/1\.1 400 /,
  );
});

test('a request that never ends its head is timed out', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  assert.ok(server.server.headersTimeout <= 20_000);
  server.server.headersTimeout = 100;
  assert.match(await rawExchange(server, upgradeRequest('/api/agent/connect').slice(0, 40)), /^HTTP\/1\.1 408 /);
});

test('sockets that wait for their hello are limited per address; those that said it do not count', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources, { limits: { waitingPerAddress: 2 } });
  const waiting = [await server.connect({ until: 'challenge' }), await server.connect({ until: 'challenge' })];
  assert.match(await rawExchange(server, upgradeRequest('/api/agent/connect')), /^HTTP\/1\.1 503 .*Retry-After: 5/s);
  waiting[0]?.sendHello();
  await waiting[0]?.next('welcome');
  await server.connect();
  await server.connect();
  assert.deepEqual(server.sockets.counts(), { connected: 3, waiting: 1 });
});

test('an upgrade that is refused keeps no place', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources, { limits: { waitingPerAddress: 1 } });
  const withoutKey = upgradeRequest('/api/agent/connect').replace(/Sec-WebSocket-Key.*\r\n/, '');
  assert.match(await rawExchange(server, withoutKey), /^HTTP\/1\.1 400 /);
  await waitFor('the place to be free', () => server.sockets.counts().waiting === 0);
  await server.connect();
});

test('who has not proved anything may not send megabytes', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const agent = await server.connect({ until: 'challenge' });
  agent.send(JSON.stringify({ type: 'hello', padding: 'x'.repeat(300_000) }));
  assert.equal((await agent.closed).code, 1006);
});

test('a listener that fails at a hello does not keep the machine away', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources, {
    listeners: [
      {
        hello: () => {
          throw new Error('a defect');
        },
      },
    ],
  });
  const agent = await server.connect({ hello: { agent_version: 'stored' } });
  assert.equal(machineRow(server, agent.identity.machineUuid)['agent_version'], 'stored');
});

test('a key that changes between signature and commit is not accepted', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const identity = server.newMachine();
  const agent = new TestAgent({ url: server.url, identity, until: 'challenge' });
  await agent.next('challenge');
  // The enrolment that replaces the key writes in the same turn of the event loop.
  const { db } = server.context;
  const prepare = db.prepare.bind(db);
  let isReplaced = false;
  db.prepare = (sql: string) => {
    const statement = prepare(sql);
    if (isReplaced || !sql.startsWith('SELECT public_key')) return statement;
    isReplaced = true;
    queueMicrotask(() => prepare('UPDATE machines SET public_key = ?').run('another'));
    return statement;
  };
  agent.sendHello();
  agent.sendNumbered({ type: 'log', command_uuid: null, lines: ['of nobody'] });
  assert.equal((await agent.closed).code, closeCodes.unknown_machine);
  assert.ok(isReplaced);
  assert.equal(prepare('SELECT count(*) AS n FROM agent_logs').get()?.['n'], 0);
});

test('connectTestAgent says why it was refused', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  await assert.rejects(connectTestAgent({ url: server.url, identity: makeTestIdentity() }), /4404.*not known/);
});
