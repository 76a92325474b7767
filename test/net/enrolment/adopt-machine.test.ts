import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { closeCodes } from '../../../protocol/agent-frames.ts';
import { type EnrolmentServer, enrolmentServer, factsOf, randomKey } from '../../builders/enrolment.ts';
import { Resources } from '../../resources.ts';

async function adopt(server: EnrolmentServer, uuid: string, from: unknown) {
  return await server.call('POST', `/api/provisioning/machines/${uuid}/adopt`, { from });
}

/** An installed machine whose disk was lost, and the record that it got in the installer. */
async function lostMachine(server: EnrolmentServer) {
  const token = await server.makeToken('1d');
  const old = await server.enrolled(token, randomKey(), factsOf(1, { hostname: 'db-1' }));
  server.setInstalled(old);
  server.clock.advance(10_000);
  const key = randomKey();
  const facts = factsOf(1, { nics: [{ name: 'eth0', mac: 'd0:94:66:99:00:01' }] });
  const fresh = await server.enrolled(token, key, facts);
  server.hub.sockets.set(fresh, true);
  return { token, old, fresh, key, facts };
}

function addRun(server: EnrolmentServer, machineUuid: string, status: string): void {
  server.context.db
    .prepare(
      `INSERT INTO provisions (uuid, machine_uuid, mode, status, current_step, current_message, progress_percent, created_at)
       VALUES (?, ?, 'rebuild', ?, '', '', 0, '')`,
    )
    .run(randomUUID(), machineUuid, status);
}

test('the old record gets the key and the facts, the new one disappears, its socket is closed, the run starts', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { token, old, fresh, key, facts } = await lostMachine(server);
  assert.deepEqual(server.duplicatesOf(old), [fresh]);
  server.events.length = 0;
  const reply = await adopt(server, old, fresh);
  assert.equal(reply.status, 200);
  assert.deepEqual(reply.body, { machine_uuid: old });
  assert.equal(server.machineCount(), 1);
  const row = server.machine(old);
  assert.deepEqual([row['public_key'], row['hostname'], row['was_installed']], [key, 'db-1', 1]);
  assert.equal(row['macs'], '["d0:94:66:99:00:01"]');
  assert.deepEqual(server.duplicatesOf(old), []);
  assert.equal(server.machineEvents(old).at(-1), 'adopted');
  assert.deepEqual(server.adopted, [old]);
  assert.deepEqual(server.hub.disconnected.at(-1), { machineUuid: fresh, code: closeCodes.unknown_machine });
  assert.deepEqual(server.events, [
    { type: 'machine_deleted', uuid: fresh },
    { type: 'machine', uuid: old },
  ]);
  // The machine asks again with the key that it has.
  const again = await server.enrol(token, key, facts);
  assert.deepEqual([again.status, again.body['machine_uuid']], [200, old]);
  assert.equal((await adopt(server, old, fresh)).status, 422, 'once');
});

test('a machine whose token has expired finds its record by asking for an approval with the same key', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { old, fresh, key, facts } = await lostMachine(server);
  await adopt(server, old, fresh);
  server.clock.advance(400 * 86_400_000);
  const asked = await server.call('POST', '/api/agent/approvals', {
    public_key: { kty: 'OKP', crv: 'Ed25519', x: key },
    facts,
  });
  const status = await server.call('GET', `/api/agent/approvals/${asked.body['approval_id']}`);
  assert.deepEqual([status.body['status'], status.body['machine_uuid']], ['approved', old]);
});

test('what is not there, has no key, is the same or has a run is refused and changes nothing', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { old, fresh } = await lostMachine(server);
  const known = await server.call('POST', '/api/provisioning/known-machines/', { mac: '52:54:00:00:00:01' });
  const before = [server.machine(old), server.machine(fresh)];
  assert.equal((await adopt(server, randomUUID(), fresh)).status, 404);
  assert.equal((await adopt(server, 'x', fresh)).status, 404);
  for (const from of [randomUUID(), old, known.body['uuid'], 'x', null, undefined]) {
    const reply = await adopt(server, old, from);
    assert.equal(reply.status, 422, String(from));
    assert.ok(Array.isArray(reply.body['detail']));
  }
  addRun(server, fresh, 'in_progress');
  assert.equal((await adopt(server, old, fresh)).status, 409);
  assert.deepEqual([server.machine(old), server.machine(fresh)], before);
  assert.deepEqual(server.adopted, []);
});

test('a machine that is there with its own key is another one (409)', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { old, fresh } = await lostMachine(server);
  server.hub.sockets.set(old, true);
  assert.equal((await adopt(server, old, fresh)).status, 409);
  assert.equal(server.machineCount(), 2);
  server.hub.sockets.set(old, false);
  assert.equal((await adopt(server, old, fresh)).status, 200, 'a socket that answers no ping is nobody');
});

test('the interrupted run starts in the same transaction: when that fails, nothing was adopted', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { old, fresh } = await lostMachine(server);
  server.adopted.push = () => {
    throw new Error('the run cannot start');
  };
  assert.equal((await adopt(server, old, fresh)).status, 500);
  assert.equal(server.machineCount(), 2);
  assert.notEqual(server.machine(old)['public_key'], server.machine(fresh)['public_key']);
  assert.ok(!server.hub.disconnected.some(({ machineUuid }) => machineUuid === fresh));
});

test('two adoptions of one record at once: one is made', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { old, fresh } = await lostMachine(server);
  const third = await server.enrolled(await server.makeToken(), randomKey(), factsOf(3));
  server.clock.advance(10_000);
  const replies = await Promise.all([adopt(server, old, fresh), adopt(server, third, fresh)]);
  assert.deepEqual(replies.map(({ status }) => status).sort(), [200, 422]);
  assert.equal(server.machineCount(), 2);
});

test('a machine that was registered by its MAC adopts the one that enrolled with another token', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const mac = 'd0:94:66:00:00:01';
  const known = await server.call('POST', '/api/provisioning/known-machines/', { mac, hostname: 'planned' });
  const uuid = String(known.body['uuid']);
  const fresh = await server.enrolled(await server.makeToken(), randomKey(), factsOf(1));
  assert.notEqual(fresh, uuid, 'a MAC by itself enrols nothing');
  assert.deepEqual(server.duplicatesOf(uuid), [fresh]);
  assert.equal((await adopt(server, uuid, fresh)).status, 200);
  assert.equal(server.machine(uuid)['hostname'], 'planned');
});
