import assert from 'node:assert/strict';
import { test } from 'node:test';
import { approvalCreatedSchema, approvalStatusSchema } from '../../../protocol/enrolment.ts';
import type { MachineFacts } from '../../../protocol/machine-facts.ts';
import { type EnrolmentServer, enrolmentServer, factsOf, type Reply, randomKey } from '../../builders/enrolment.ts';
import { Resources } from '../../resources.ts';

const operatorPath = '/api/provisioning/approvals/';

async function ask(server: EnrolmentServer, key = randomKey(), facts: MachineFacts = factsOf(1), address?: string) {
  const body = { public_key: { kty: 'OKP', crv: 'Ed25519', x: key }, facts };
  return await server.call('POST', '/api/agent/approvals', body, address);
}

async function askedFor(server: EnrolmentServer, key?: string, facts?: MachineFacts, address?: string) {
  const reply = await ask(server, key, facts, address);
  assert.equal(reply.status, 201, reply.text);
  return approvalCreatedSchema.parse(reply.body);
}

async function statusOf(server: EnrolmentServer, id: string) {
  return approvalStatusSchema.parse((await server.call('GET', `/api/agent/approvals/${id}`)).body);
}

async function enter(server: EnrolmentServer, code: string, action?: string, address?: string): Promise<Reply> {
  return await server.call('POST', operatorPath, { code, ...(action === undefined ? {} : { action }) }, address);
}

test('a code that the operator enters lets the machine in, once', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const key = randomKey();
  const { approval_id: id, code, expires_at, poll_seconds } = await askedFor(server, key, factsOf(1), '198.51.100.9');
  assert.equal(Date.parse(expires_at) - server.clock.now(), 900_000);
  assert.ok(poll_seconds > 0);
  assert.deepEqual(await statusOf(server, id), { status: 'pending', expires_at });
  const approved = await enter(server, code.toLowerCase().replace('-', ''));
  assert.equal(approved.status, 200);
  assert.equal(approved.body['status'], 'approved');
  const uuid = String(approved.body['machine_uuid']);
  assert.equal(server.machine(uuid)['public_key'], key);
  assert.deepEqual(server.machineEvents(uuid), ['enrolled']);
  const status = await statusOf(server, id);
  assert.ok(status.status === 'approved' && status.machine_uuid === uuid);
  for (const action of ['approve', 'deny', 'preview']) assert.equal((await enter(server, code, action)).status, 404);
  assert.equal(server.machineCount(), 1);
});

test('before deciding the operator sees vendor, serial, MACs and address, and a preview decides nothing', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { approval_id: id, code } = await askedFor(server, randomKey(), factsOf(1), '198.51.100.9');
  const shown = await enter(server, code, 'preview');
  assert.equal(shown.status, 200);
  assert.deepEqual(shown.body['facts'], factsOf(1));
  assert.equal(shown.body['address'], '198.51.100.9');
  assert.equal(shown.body['status'], 'pending');
  assert.equal((await statusOf(server, id)).status, 'pending');
  assert.equal((await enter(server, code, 'deny')).body['status'], 'denied');
  assert.deepEqual(await statusOf(server, id), { status: 'denied' });
  assert.equal(server.machineCount(), 0);
});

test('the list has those that wait first, with facts and without codes', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const asked = [];
  for (let index = 0; index < 3; index += 1) asked.push(await askedFor(server, randomKey(), factsOf(index)));
  await enter(server, asked[0]?.code ?? '', 'approve');
  const list = await server.call('GET', operatorPath);
  const items = list.body as unknown as { status: string; facts: MachineFacts }[];
  assert.deepEqual(
    items.map(({ status, facts }) => [status, facts.system_uuid]),
    [
      ['pending', factsOf(1).system_uuid],
      ['pending', factsOf(2).system_uuid],
      ['approved', factsOf(0).system_uuid],
    ],
  );
  for (const { code, approval_id } of asked) {
    assert.ok(!list.text.includes(code) && !list.text.includes(code.replace('-', '')));
    assert.ok(!list.text.includes(approval_id));
  }
  server.clock.advance(900_000);
  assert.equal(((await server.call('GET', operatorPath)).body as unknown as unknown[]).length, 1, 'expired: not shown');
});

test('after 15 minutes a code is worth nothing, and the machine learns it', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { approval_id: id, code } = await askedFor(server);
  server.clock.advance(899_999);
  assert.equal((await statusOf(server, id)).status, 'pending');
  server.clock.advance(1);
  assert.deepEqual(await statusOf(server, id), { status: 'expired' });
  assert.equal((await enter(server, code)).status, 404);
  assert.equal(server.machineCount(), 0);
});

test('a key that asks again has one code, the new one', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const key = randomKey();
  const first = await askedFor(server, key);
  const second = await askedFor(server, key);
  assert.deepEqual(await statusOf(server, first.approval_id), { status: 'expired' });
  assert.equal((await enter(server, first.code)).status, 404);
  assert.equal((await enter(server, second.code)).status, 200);
  assert.equal((await statusOf(server, second.approval_id)).status, 'approved');
});

test('two operators at once: one decision', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { code } = await askedFor(server);
  const replies = await Promise.all([enter(server, code), enter(server, code, 'deny'), enter(server, code)]);
  assert.equal(replies.filter(({ status }) => status === 200).length, 1);
  assert.ok(server.machineCount() <= 1);
});

test('an id that is none is told nothing; a machine that was deleted has to ask again', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  assert.equal((await server.call('GET', '/api/agent/approvals/abc')).status, 404);
  assert.deepEqual(await statusOf(server, randomKey()), { status: 'expired' });
  const { approval_id: id, code } = await askedFor(server);
  const uuid = String((await enter(server, code)).body['machine_uuid']);
  server.context.db.prepare('DELETE FROM machines WHERE uuid = ?').run(uuid);
  assert.deepEqual(await statusOf(server, id), { status: 'expired' });
});

test('what is no code or no action is refused', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  for (const body of [{}, { code: null }, { code: '' }, { code: 'x'.repeat(33) }, { code: 'A3C-DEF', action: 'x' }]) {
    assert.equal((await server.call('POST', operatorPath, body)).status, 422);
  }
  assert.equal((await enter(server, '%_%-_%_')).status, 404);
});

test('approval follows the rules of identity: a power-cycled machine is the same one', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const first = await enter(server, (await askedFor(server)).code);
  server.clock.advance(60_000);
  const key = randomKey();
  const second = await enter(server, (await askedFor(server, key)).code);
  assert.equal(second.body['machine_uuid'], first.body['machine_uuid']);
  assert.equal(server.machine(String(second.body['machine_uuid']))['public_key'], key);
});
