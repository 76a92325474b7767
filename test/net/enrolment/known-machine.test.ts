import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { decideNetworkBoot, type NetworkBoot } from '../../../control-plane/enrolment/network-boot.ts';
import { type EnrolmentServer, enrolmentServer, factsOf, randomKey } from '../../builders/enrolment.ts';
import { Resources } from '../../resources.ts';

const path = '/api/provisioning/known-machines/';
const mac = 'd0:94:66:00:00:01';

async function register(server: EnrolmentServer, body: object = { mac, hostname: 'planned' }): Promise<string> {
  const reply = await server.call('POST', path, body);
  assert.equal(reply.status, 201, reply.text);
  return String(reply.body['uuid']);
}

async function mark(server: EnrolmentServer, uuid: string, body: object = {}): Promise<void> {
  const reply = await server.call('POST', `/api/provisioning/machines/${uuid}/install-mark`, body);
  assert.equal(reply.status, 200, reply.text);
}

async function boot(server: EnrolmentServer, of = mac): Promise<NetworkBoot> {
  return await decideNetworkBoot(server.enrolment, [of], '192.0.2.1');
}

async function bootToken(server: EnrolmentServer): Promise<string> {
  const decided = await boot(server);
  assert.ok(decided.kind === 'installer' && decided.token !== null);
  return decided.token.token;
}

const local: NetworkBoot = { kind: 'local' };

test('a machine is registered by its addresses, in every usual way of writing them', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const first = await server.call('POST', path, { mac: 'D0-94-66-00-00-01', macs: ['d0:94:66:00:00:02'] });
  assert.equal(first.status, 201);
  assert.equal(first.body['hostname'], 'node-000001');
  assert.deepEqual(first.body['macs'], ['d0:94:66:00:00:01', 'd0:94:66:00:00:02']);
  const row = server.machine(String(first.body['uuid']));
  assert.deepEqual([row['public_key'], row['was_installed']], [null, 0]);
  for (const body of [
    {},
    { macs: [] },
    { mac: null },
    { mac: 'x' },
    { mac: '01:00:5e:00:00:01' },
    { mac: '00:00:00:00:00:00' },
    { mac: 'd0:94:66:00:00' },
    { mac: '52:54:00:00:00:09', hostname: 'a b' },
    { mac: '52:54:00:00:00:09', hostname: null },
  ]) {
    assert.equal((await server.call('POST', path, body)).status, 422, JSON.stringify(body));
  }
});

test('an address that a machine has cannot be registered (409), whether it enrolled or was registered', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  await register(server);
  await server.enrolled(await server.makeToken(), randomKey(), factsOf(2));
  const [nic] = factsOf(2).nics;
  assert.equal((await server.call('POST', path, { mac })).status, 409);
  assert.equal((await server.call('POST', path, { macs: ['52:54:00:00:00:05', nic?.mac] })).status, 409);
  assert.equal(server.machineCount(), 2, 'nothing of a refused registration stays');
});

test('a MAC by itself enrols nothing: there is a token only while the operator has the machine marked', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const uuid = await register(server);
  assert.deepEqual(await boot(server), local);
  await mark(server, uuid, { minutes: 5 });
  assert.deepEqual(await boot(server, '52:54:00:00:00:07'), local, 'another MAC');
  const decided = await boot(server);
  assert.ok(decided.kind === 'installer');
  assert.equal(decided.machineUuid, uuid);
  assert.equal(decided.token?.expiresAtMs, server.clock.now() + 900_000);
  server.clock.advance(300_000);
  assert.deepEqual(await boot(server), local, 'the mark is over');
  server.clock.advance(1);
  assert.deepEqual(await boot(server), local, 'and stays over');
});

test('the token gives the key to the record once; the same key again is answered, a second one refused', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const uuid = await register(server);
  await mark(server, uuid);
  const token = await bootToken(server);
  const key = randomKey();
  const first = await server.enrol(token, key, factsOf(1));
  assert.deepEqual([first.status, first.body['machine_uuid']], [201, uuid]);
  const row = server.machine(uuid);
  assert.deepEqual([row['public_key'], row['hostname'], row['system_uuid']], [key, 'planned', factsOf(1).system_uuid]);
  assert.deepEqual(server.machineEvents(uuid), ['registered', 'enrolled']);
  const again = await server.enrol(token, key, factsOf(1));
  assert.deepEqual([again.status, again.body['machine_uuid']], [200, uuid]);
  const second = await server.enrol(token, randomKey(), factsOf(3));
  assert.equal(second.status, 401);
  assert.equal(second.text, (await server.enrol('x', randomKey(), factsOf(3))).text, 'as any other wrong token');
  assert.equal(server.machineCount(), 1);
});

test('two keys at once with one token: one gets the record', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  await mark(server, await register(server));
  const token = await bootToken(server);
  const replies = await Promise.all([1, 2, 3].map((index) => server.enrol(token, randomKey(), factsOf(index))));
  assert.deepEqual(replies.map(({ status }) => status).sort(), [201, 401, 401]);
});

test('however often the script is fetched there is one unused token, and one use spends all of them', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  await mark(server, await register(server));
  const rows = (): number => Number(server.context.db.prepare('SELECT count(*) AS n FROM boot_tokens').get()?.['n']);
  const tokens: string[] = [];
  for (let count = 0; count < 100; count += 1) {
    tokens.push(await bootToken(server));
    server.clock.advance(1000);
  }
  assert.equal(rows(), 1);
  assert.equal((await server.enrol(tokens[99] ?? '', randomKey(), factsOf(1))).status, 201);
  assert.equal((await server.enrol(tokens[98] ?? '', randomKey(), factsOf(1))).status, 401);
  assert.equal((await server.enrol(tokens[50] ?? '', randomKey(), factsOf(1))).status, 401);
});

test('a token lasts 15 minutes, and no longer than the operator wants', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const uuid = await register(server);
  await mark(server, uuid);
  const late = await bootToken(server);
  server.clock.advance(900_000);
  assert.equal((await server.enrol(late, randomKey(), factsOf(1))).status, 401);
  const token = await bootToken(server);
  const unmark = `/api/provisioning/machines/${uuid}/install-mark`;
  assert.equal((await server.call('DELETE', unmark)).status, 204);
  assert.equal(server.machine(uuid)['install_until'], null);
  assert.equal((await server.enrol(token, randomKey(), factsOf(1))).status, 401);
  assert.deepEqual(await boot(server), local);
});

test('a power-cycled machine that is still marked gets a new token for the same record', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const uuid = await register(server);
  await mark(server, uuid);
  await server.enrol(await bootToken(server), randomKey(), factsOf(1));
  server.clock.advance(60_000);
  const key = randomKey();
  assert.equal((await server.enrol(await bootToken(server), key, factsOf(1))).status, 201);
  assert.equal(server.machine(uuid)['public_key'], key);
  assert.equal(server.machineCount(), 1);
});

test('a machine that is there with its key keeps it (409), and the token is not spent', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const uuid = await register(server);
  await mark(server, uuid);
  const key = randomKey();
  await server.enrol(await bootToken(server), key, factsOf(1));
  server.hub.sockets.set(uuid, true);
  server.clock.advance(60_000);
  const token = await bootToken(server);
  assert.equal((await server.enrol(token, randomKey(), factsOf(1))).status, 409);
  assert.equal(server.machine(uuid)['public_key'], key);
  server.hub.sockets.delete(uuid);
  assert.equal((await server.enrol(token, randomKey(), factsOf(1))).status, 201);
});

test('a key that has another machine keeps it, and the token is not spent', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const key = randomKey();
  const other = await server.enrolled(await server.makeToken(), key, factsOf(5));
  await mark(server, await register(server));
  const token = await bootToken(server);
  const reply = await server.enrol(token, key, factsOf(5));
  assert.deepEqual([reply.status, reply.body['machine_uuid']], [200, other]);
  assert.equal((await server.enrol(token, randomKey(), factsOf(1))).status, 201);
});

test('marks: minutes within a week, 404 for no machine, and what they change is published', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const uuid = await register(server);
  const url = `/api/provisioning/machines/${uuid}/install-mark`;
  for (const minutes of [0, -1, 1.5, 10_081, '5', null]) {
    assert.equal((await server.call('POST', url, { minutes })).status, 422, String(minutes));
  }
  const reply = await server.call('POST', url, { minutes: 10_080 });
  assert.equal(Date.parse(String(reply.body['install_until'])) - server.clock.now(), 7 * 86_400_000);
  assert.deepEqual(server.events.at(-1), { type: 'machine', uuid });
  for (const method of ['POST', 'DELETE']) {
    const missing = `/api/provisioning/machines/${randomUUID()}/install-mark`;
    assert.equal((await server.call(method, missing, method === 'POST' ? {} : undefined)).status, 404);
  }
});

test('a new machine joins the default mesh network, however it came', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { db, accountUuid } = server.context;
  db.prepare(
    `INSERT INTO mesh_networks (uuid, account_uuid, name, network_cidr, is_default, route_reflector_mode, created_at, updated_at)
     VALUES (?, ?, 'm', '10.77.0.0/29', 1, 0, '', '')`,
  ).run(randomUUID(), accountUuid);
  const registered = await register(server);
  const enrolled = await server.enrolled(await server.makeToken(), randomKey(), factsOf(4));
  const addresses = [registered, enrolled].map((uuid) => server.machine(uuid)['mesh_ip_address']);
  assert.deepEqual(addresses, ['10.77.0.1', '10.77.0.2']);
  server.clock.advance(10_000);
  await server.enrolled(await server.makeToken(), randomKey(), factsOf(4));
  assert.equal(server.machine(enrolled)['mesh_ip_address'], '10.77.0.2', 'a new key keeps the address');
});
