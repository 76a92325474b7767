import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closeCodes } from '../../../protocol/agent-frames.ts';
import { enrolmentServer, factsOf, randomKey } from '../../builders/enrolment.ts';
import { Resources } from '../../resources.ts';

test('a new key is a new machine (201), the same key the same machine (200), also with other facts', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const token = await server.makeToken();
  const key = randomKey();
  const first = await server.enrol(token, key, factsOf(1, { hostname: 'rack-1' }));
  assert.equal(first.status, 201);
  assert.equal(first.body['server_time'], new Date(server.clock.now()).toISOString());
  const again = await server.enrol(token, key, factsOf(2, { hostname: 'else' }));
  assert.equal(again.status, 200);
  assert.equal(again.body['machine_uuid'], first.body['machine_uuid']);
  assert.equal(server.machineCount(), 1);
  const row = server.machine(String(first.body['machine_uuid']));
  assert.equal(row['hostname'], 'rack-1', 'the name is the record’s');
  assert.equal(row['system_uuid'], factsOf(2).system_uuid, 'facts follow while nothing is installed');
  assert.deepEqual(JSON.parse(String(row['facts'])).board_serial, factsOf(2).board_serial);
});

test('a request without the private key changes no fact of an installed machine', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const token = await server.makeToken();
  const key = randomKey();
  const uuid = await server.enrolled(token, key, factsOf(1));
  server.setInstalled(uuid);
  const before = server.machine(uuid);
  assert.equal(await server.enrolled(token, key, factsOf(2, { mode: 'installed' })), uuid);
  assert.deepEqual(server.machine(uuid), before);
});

test('an installed agent that enrols is an installed machine with nothing pending', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const token = await server.makeToken();
  const installed = server.machine(await server.enrolled(token, randomKey(), factsOf(1, { mode: 'installed' })));
  assert.deepEqual([installed['was_installed'], installed['needs_provisioning']], [1, 0]);
  const inInstaller = server.machine(await server.enrolled(token, randomKey(), factsOf(2)));
  assert.deepEqual([inInstaller['was_installed'], inInstaller['needs_provisioning']], [0, 1]);
});

test('power-cycled three times in discovery it is one machine: each new key replaces the last', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const token = await server.makeToken('1d');
  const uuid = await server.enrolled(token, randomKey(), factsOf(1, { hostname: 'kept' }));
  for (let round = 0; round < 3; round += 1) {
    server.clock.advance(60_000);
    const key = randomKey();
    const reply = await server.enrol(token, key, factsOf(1));
    assert.equal(reply.status, 201, 'the key is new');
    assert.equal(reply.body['machine_uuid'], uuid);
    assert.equal(server.machine(uuid)['public_key'], key);
  }
  assert.equal(server.machineCount(), 1);
  assert.equal(server.machine(uuid)['hostname'], 'kept');
  assert.deepEqual(server.machineEvents(uuid), ['enrolled', 'rekeyed', 'rekeyed', 'rekeyed']);
  assert.deepEqual(server.duplicatesOf(uuid), []);
  assert.equal(server.enrolment.counters.rekeyed, 3);
});

test('a socket that answers no ping loses its machine to the new key, and is closed', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const token = await server.makeToken();
  const uuid = await server.enrolled(token, randomKey(), factsOf(1));
  server.hub.sockets.set(uuid, false);
  server.clock.advance(10_000);
  assert.equal(await server.enrolled(token, randomKey(), factsOf(1)), uuid);
  assert.deepEqual(server.hub.disconnected, [{ machineUuid: uuid, code: closeCodes.unauthorized }]);
});

test('F24 two machines with one SMBIOS UUID are two machines, both marked', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const token = await server.makeToken();
  const system_uuid = factsOf(1).system_uuid;
  const first = await server.enrolled(token, randomKey(), factsOf(1));
  server.clock.advance(10_000);
  const second = await server.enrolled(token, randomKey(), factsOf(2, { system_uuid }));
  assert.notEqual(first, second);
  assert.deepEqual(server.duplicatesOf(first), [second]);
  assert.deepEqual(server.duplicatesOf(second), [first]);
  for (const uuid of [first, second]) assert.equal(server.machineEvents(uuid).at(-1), 'possible_duplicate');
  const published = server.events.slice(-2).map((event) => 'uuid' in event && event.uuid);
  assert.deepEqual(published.sort(), [first, second].sort());
});

test('F24 a clone in every fact is a second machine while the first one answers', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const token = await server.makeToken();
  const key = randomKey();
  const first = await server.enrolled(token, key, factsOf(1));
  server.hub.sockets.set(first, true);
  server.clock.advance(10_000);
  const second = await server.enrolled(token, randomKey(), factsOf(1));
  assert.notEqual(second, first);
  assert.equal(server.machine(first)['public_key'], key);
  assert.deepEqual(server.duplicatesOf(first), [second]);
  assert.deepEqual(server.duplicatesOf(second), [first]);
  assert.deepEqual(server.hub.disconnected, []);
  // Two fit now: neither is taken.
  server.hub.sockets.clear();
  server.clock.advance(10_000);
  const third = await server.enrolled(token, randomKey(), factsOf(1));
  assert.equal(server.machineCount(), 3);
  assert.deepEqual(server.duplicatesOf(third), [first, second]);
});

test('an installed machine keeps its key, whatever another one says of itself', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const token = await server.makeToken();
  const key = randomKey();
  const installed = await server.enrolled(token, key, factsOf(1));
  server.setInstalled(installed);
  server.clock.advance(10_000);
  const second = await server.enrolled(token, randomKey(), factsOf(1));
  assert.notEqual(second, installed);
  assert.equal(server.machine(installed)['public_key'], key);
  assert.deepEqual(server.duplicatesOf(installed), [second]);
  // Its own record in discovery follows it over a power cycle.
  server.clock.advance(10_000);
  assert.equal(await server.enrolled(token, randomKey(), factsOf(1)), second);
});

test('one fact apart is another machine, marked where the UUID is the same', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const token = await server.makeToken();
  const base = factsOf(1);
  const first = await server.enrolled(token, randomKey(), base);
  const [nic] = base.nics;
  assert.ok(nic);
  for (const change of [
    { board_serial: 'CN7475192XXX9' },
    { board_serial: null },
    { nics: [nic] },
    { nics: [...base.nics, { name: 'eno3', mac: 'd0:94:66:02:00:01' }] },
    { nics: [] },
    { system_uuid: factsOf(2).system_uuid },
    { system_uuid: null },
  ]) {
    server.clock.advance(10_000);
    const before = server.machineCount();
    const uuid = await server.enrolled(token, randomKey(), factsOf(1, change));
    assert.equal(server.machineCount(), before + 1, JSON.stringify(change));
    assert.ok((server.duplicatesOf(uuid) as string[]).includes(first), JSON.stringify(change));
  }
});

test('placeholders of firmware match nothing and mark nothing', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const token = await server.makeToken();
  const placeholders = [
    { system_uuid: '03000200-0400-0500-0006-000700080009', board_serial: 'Default string' },
    { system_uuid: '00000000-0000-0000-0000-000000000000', board_serial: 'To be filled by O.E.M.' },
    { system_uuid: 'ffffffff-ffff-ffff-ffff-ffffffffffff', board_serial: 'Not Specified' },
    { system_uuid: null, board_serial: null },
  ];
  for (const facts of placeholders) {
    for (let index = 1; index <= 3; index += 1) {
      server.clock.advance(10_000);
      const macs = { nics: [{ name: 'eth0', mac: `d0:94:67:00:${placeholders.indexOf(facts)}0:0${index}` }] };
      const uuid = await server.enrolled(token, randomKey(), factsOf(0, { ...facts, ...macs, system_serial: null }));
      assert.deepEqual(server.duplicatesOf(uuid), []);
    }
  }
  assert.equal(server.machineCount(), 12);
  // The same addresses with a placeholder for UUID: no key is replaced, but a person may want to look.
  const twin = factsOf(0, { ...placeholders[0], nics: [{ name: 'eth0', mac: 'd0:94:67:00:00:01' }] });
  assert.equal((server.duplicatesOf(await server.enrolled(token, randomKey(), twin)) as string[]).length, 1);
});

test('without addresses nothing tells a machine from its clone: two machines, both marked', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const token = await server.makeToken();
  const first = await server.enrolled(token, randomKey(), factsOf(1, { nics: [] }));
  server.clock.advance(10_000);
  const second = await server.enrolled(token, randomKey(), factsOf(1, { nics: [] }));
  assert.notEqual(second, first);
  assert.deepEqual(server.duplicatesOf(second), [first]);
});

test('a board without a serial of its own is recognised by UUID and addresses', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const token = await server.makeToken();
  const uuid = await server.enrolled(token, randomKey(), factsOf(1, { board_serial: null }));
  server.clock.advance(10_000);
  assert.equal(await server.enrolled(token, randomKey(), factsOf(1, { board_serial: 'Default string' })), uuid);
});

test('marks stay few on a series of boards with one UUID', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const token = await server.makeToken();
  const system_uuid = factsOf(1).system_uuid;
  const uuids: string[] = [];
  for (let index = 1; index <= 50; index += 1) {
    uuids.push(await server.enrolled(token, randomKey(), factsOf(index, { system_uuid })));
  }
  for (const uuid of uuids) {
    const { length } = server.duplicatesOf(uuid) as string[];
    assert.ok(length > 0 && length <= 32, String(length));
  }
});
