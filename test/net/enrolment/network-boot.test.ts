import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideNetworkBoot, type NetworkBoot } from '../../../control-plane/enrolment/network-boot.ts';
import { type EnrolmentServer, enrolmentServer, factsOf, randomKey } from '../../builders/enrolment.ts';
import { Resources } from '../../resources.ts';

const mac = 'd0:94:66:00:00:01';
const minuteMs = 60_000;

async function register(server: EnrolmentServer): Promise<string> {
  return String((await server.call('POST', '/api/provisioning/known-machines/', { mac })).body['uuid']);
}

/** As a run and EnterInstaller do. */
function markByRun({ context, clock }: EnrolmentServer): void {
  const until = new Date(clock.now() + 30 * minuteMs).toISOString();
  context.db.prepare('UPDATE machines SET install_until = ?').run(until);
}

async function markByOperator(server: EnrolmentServer, uuid: string, minutes: number): Promise<void> {
  const reply = await server.call('POST', `/api/provisioning/machines/${uuid}/install-mark`, { minutes });
  assert.equal(reply.status, 200, reply.text);
}

async function boot(server: EnrolmentServer, macs: readonly string[] = [mac], address = '192.0.2.1') {
  return await decideNetworkBoot(server.enrolment, macs, address);
}

function tokenOf(decided: NetworkBoot): string | null {
  assert.ok(decided.kind === 'installer', decided.kind);
  return decided.token?.token ?? null;
}

/** A machine that was installed, has a key and is off. */
async function installedMachine(server: EnrolmentServer): Promise<{ uuid: string; key: string }> {
  const key = randomKey();
  const uuid = await server.enrolled(await server.makeToken(), key, factsOf(1));
  server.setInstalled(uuid);
  server.clock.advance(minuteMs);
  return { uuid, key };
}

test('a run gives the token to a machine that was never installed: at its first boot, and when it is power-cycled', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const uuid = await register(server);
  for (const round of [1, 2]) {
    markByRun(server);
    const key = randomKey();
    const reply = await server.enrol(tokenOf(await boot(server)) ?? '', key, factsOf(1));
    assert.deepEqual([reply.status, reply.body['machine_uuid']], [201, uuid], `round ${round}`);
    assert.equal(server.machine(uuid)['public_key'], key);
    server.clock.advance(minuteMs);
  }
});

test('the record of a machine that has a key goes to the same hardware, or by the word of an operator', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const uuid = await register(server);
  markByRun(server);
  // Whoever was first: the server knows nothing but the MAC.
  const key = randomKey();
  assert.equal((await server.enrol(tokenOf(await boot(server)) ?? '', key, factsOf(1))).status, 201);
  server.clock.advance(minuteMs);
  const [nic] = factsOf(1).nics;
  assert.ok(nic);
  for (const stranger of [
    factsOf(1, { system_uuid: factsOf(2).system_uuid }),
    factsOf(1, { board_serial: factsOf(2).board_serial }),
    factsOf(1, { nics: [nic] }),
    factsOf(1, { system_uuid: null }),
  ]) {
    assert.equal((await server.enrol(tokenOf(await boot(server)) ?? '', randomKey(), stranger)).status, 401);
  }
  assert.equal(server.machine(uuid)['public_key'], key);
  await markByOperator(server, uuid, 60);
  const changed = factsOf(1, { board_serial: 'another board' });
  assert.equal((await server.enrol(tokenOf(await boot(server)) ?? '', randomKey(), changed)).status, 201);
});

test('an installed machine keeps its key: a run gets it the installer without a token, only its operator one with it', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { uuid, key } = await installedMachine(server);
  markByRun(server);
  assert.equal(tokenOf(await boot(server)), null);
  assert.equal(server.context.db.prepare('SELECT 1 FROM boot_tokens').get(), undefined);
  assert.equal(server.machine(uuid)['public_key'], key);

  await markByOperator(server, uuid, 60);
  const mine = randomKey();
  const reply = await server.enrol(tokenOf(await boot(server)) ?? '', mine, factsOf(1));
  assert.deepEqual([reply.status, reply.body['machine_uuid']], [201, uuid]);
  assert.equal(server.machine(uuid)['public_key'], mine);
  assert.equal(server.machineEvents(uuid).at(-1), 'rekeyed');

  server.clock.advance(60 * minuteMs);
  markByRun(server);
  assert.equal(tokenOf(await boot(server)), null, "the operator's mark is over, the run's is not");
});

test('a token that was given before the machine was installed gives its key to nobody', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const uuid = await register(server);
  // Of the registration, and long over.
  await markByOperator(server, uuid, 1);
  server.clock.advance(60 * minuteMs);
  markByRun(server);
  const token = tokenOf(await boot(server)) ?? '';
  const key = randomKey();
  assert.equal((await server.enrol(token, key, factsOf(1))).status, 201);
  server.clock.advance(minuteMs);
  const another = tokenOf(await boot(server)) ?? '';
  server.setInstalled(uuid);
  const refused = await server.enrol(another, randomKey(), factsOf(1));
  assert.equal(refused.status, 401);
  assert.equal(refused.text, (await server.enrol('x', randomKey(), factsOf(1))).text, 'as any other wrong token');
  assert.equal(server.machine(uuid)['public_key'], key);
  assert.equal((await server.enrol(another, key, factsOf(1))).status, 200, 'its own key is known');
});

test('a token that an operator has given is good for 15 minutes, though his mark ends before', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { uuid } = await installedMachine(server);
  await markByOperator(server, uuid, 1);
  const token = tokenOf(await boot(server)) ?? '';
  server.clock.advance(14 * minuteMs);
  assert.equal((await server.enrol(token, randomKey(), factsOf(1))).status, 201);
});

test('whatever takes the mark back voids the token, and a new mark does not bring it back', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const uuid = await register(server);
  await markByOperator(server, uuid, 60);
  const token = tokenOf(await boot(server)) ?? '';
  server.context.db.prepare('UPDATE machines SET install_until = NULL WHERE uuid = ?').run(uuid);
  assert.equal(server.machine(uuid)['operator_mark_until'], null);
  assert.equal((await server.enrol(token, randomKey(), factsOf(1))).status, 401);
  await markByOperator(server, uuid, 60);
  await boot(server);
  assert.equal((await server.enrol(token, randomKey(), factsOf(1))).status, 401);
  assert.equal((await server.enrol(tokenOf(await boot(server)) ?? '', randomKey(), factsOf(1))).status, 201);
});

test('MACs that are not marked are counted per address, and a limited address is told nothing', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const uuid = await register(server);
  const other = (index: number): string =>
    `52:54:00:00:0${Math.floor(index / 256)}:${(index % 256).toString(16).padStart(2, '0')}`;
  const many = Array.from({ length: 400 }, (_, index) => other(index));
  assert.deepEqual(await boot(server, many, '2001:db8::1'), { kind: 'local' });
  await markByOperator(server, uuid, 60);
  const limited = { kind: 'limited', waitSeconds: 2 };
  assert.deepEqual(await boot(server, [mac], '2001:db8::2'), limited, 'the same /64');
  assert.deepEqual(await boot(server, [other(1)], '2001:db8::2'), limited);
  assert.equal(server.enrolment.counters.limited, 2);
  assert.notEqual(tokenOf(await boot(server, [mac], '2001:db8:0:1::1')), null, 'another address');
  server.clock.advance(2000);
  assert.notEqual(tokenOf(await boot(server, [mac], '2001:db8::2')), null);
  assert.deepEqual(await boot(server, [other(2), mac], '2001:db8::2'), limited, 'in the middle of a request, too');
});
