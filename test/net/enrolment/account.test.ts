import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { enrolmentServer, factsOf, randomKey } from '../../builders/enrolment.ts';
import { Resources } from '../../resources.ts';

const path = '/api/controlplane/account';

test('the account has a name, a default image and a date, each of which changes alone', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { db, accountUuid } = server.context;
  const imageUuid = randomUUID();
  db.prepare(
    "INSERT INTO images (uuid, account_uuid, name, docker_image_url, created_at, updated_at) VALUES (?, ?, 'i', 'r/i:1', '', '')",
  ).run(imageUuid, accountUuid);
  const before = await server.call('GET', path);
  assert.equal(before.status, 200);
  assert.equal(before.body['default_image_uuid'], null);
  const named = await server.call('PATCH', path, { name: 'Rack 7' });
  assert.deepEqual(named.body, { ...before.body, name: 'Rack 7' });
  const imaged = await server.call('PATCH', path, { default_image_uuid: imageUuid });
  assert.deepEqual(imaged.body, { ...named.body, default_image_uuid: imageUuid });
  assert.deepEqual((await server.call('PATCH', path, {})).body, imaged.body);
  assert.equal((await server.call('PATCH', path, { default_image_uuid: null })).body['default_image_uuid'], null);
  assert.equal((await server.call('GET', `${path}/`)).body['name'], 'Rack 7', 'with a slash as well');
});

test('another default image is a change for the machines that are installed with it, and for no others', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { db, accountUuid } = server.context;
  const [imageUuid, roleUuid] = [randomUUID(), randomUUID()];
  db.prepare(
    "INSERT INTO images (uuid, account_uuid, name, docker_image_url, created_at, updated_at) VALUES (?, ?, 'i', 'r/i:1', '', '')",
  ).run(imageUuid, accountUuid);
  db.prepare(
    `INSERT INTO roles (uuid, account_uuid, name, merge_priority, template_data, description, image_uuid, requires_mesh,
       created_at, updated_at) VALUES (?, ?, 'r', 100, '', '', ?, 0, '', '')`,
  ).run(roleUuid, accountUuid, imageUuid);
  const token = await server.makeToken();
  const plain = await server.enrolled(token, randomKey(), factsOf(1));
  const withRole = await server.enrolled(token, randomKey(), factsOf(2));
  db.prepare('INSERT INTO machine_roles (machine_uuid, role_uuid, position) VALUES (?, ?, 0)').run(withRole, roleUuid);
  const marked = (): unknown[] => [plain, withRole].map((uuid) => server.machine(uuid)['needs_provisioning']);
  for (const image of [imageUuid, null]) {
    db.exec('UPDATE machines SET needs_provisioning = 0');
    await server.call('PATCH', path, { default_image_uuid: image });
    assert.deepEqual(marked(), [1, 0], String(image));
    db.exec('UPDATE machines SET needs_provisioning = 0');
    await server.call('PATCH', path, { default_image_uuid: image });
    assert.deepEqual(marked(), [0, 0], 'the same image again is no change');
  }
});

test('what is no value is refused and changes nothing, whatever comes with it', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const before = (await server.call('GET', path)).body;
  const future = new Date(server.clock.now() + 1000).toISOString();
  for (const body of [
    { name: null },
    { name: '' },
    { name: 'new', default_image_uuid: randomUUID() },
    { name: 'new', default_image_uuid: 'x' },
    { name: 'new', tokens_valid_from: future },
    { name: 'new', tokens_valid_from: 'yesterday' },
  ]) {
    const reply = await server.call('PATCH', path, body);
    assert.equal(reply.status, 422, JSON.stringify(body));
    assert.ok(Array.isArray(reply.body['detail']));
  }
  assert.deepEqual((await server.call('GET', path)).body, before);
});

test('tokens_valid_from revokes what was made before, not what is made in the same instant', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const old = await server.makeToken('365d');
  server.clock.advance(1);
  const now = new Date(server.clock.now()).toISOString();
  assert.equal((await server.call('PATCH', path, { tokens_valid_from: now })).body['tokens_valid_from'], now);
  const refused = await server.enrol(old, randomKey(), factsOf(1));
  assert.equal(refused.status, 401);
  assert.equal((await server.enrol(await server.makeToken(), randomKey(), factsOf(1))).status, 201);
  // Also an expired one is not told apart any more.
  server.clock.advance(400 * 86_400_000);
  assert.deepEqual((await server.enrol(old, randomKey(), factsOf(2))).body, refused.body);
  const cleared = await server.call('PATCH', path, { tokens_valid_from: null });
  assert.equal(cleared.body['tokens_valid_from'], null);
});
