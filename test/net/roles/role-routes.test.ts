import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { MachineRole, RolePreview } from '../../../protocol/api/machine-roles.ts';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import { insertTestMachine } from '../../builders/test-agent.ts';
import { Resources } from '../../resources.ts';

const path = '/api/controlplane/machine-roles/';

async function makeRole(server: TestServer, body: Record<string, unknown>): Promise<MachineRole> {
  const reply = await server.api<MachineRole>('POST', path, body);
  assert.equal(reply.status, 201, JSON.stringify(reply.body));
  return reply.body;
}

async function makeImage(server: TestServer, name: string): Promise<string> {
  const { body } = await server.api<{ uuid: string }>('POST', '/api/provisioning/images/', {
    name,
    docker_image_url: `registry.test/${name}:1`,
  });
  return body.uuid;
}

/** A machine with the role that has been provisioned: nothing is pending. */
async function provisionedMachine(server: TestServer, roleName: string): Promise<string> {
  const { machineUuid } = insertTestMachine(server.context);
  await server.api('PATCH', `/api/provisioning/machines/${machineUuid}`, { role_names: [roleName] });
  settle(server, machineUuid);
  return machineUuid;
}

function settle({ context }: TestServer, machineUuid: string): void {
  context.db.prepare('UPDATE machines SET needs_provisioning = 0 WHERE uuid = ?').run(machineUuid);
}

async function needsProvisioning(server: TestServer, machineUuid: string): Promise<unknown> {
  return (await server.api('GET', `/api/provisioning/machines/${machineUuid}`)).body['needs_provisioning'];
}

test('an image is set, kept when absent, cleared by null; VIPs are refused as not served', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const imageUuid = await makeImage(server, 'debian');
  const role = await makeRole(server, { name: 'r', image_uuid: imageUuid, vip_uuid: null });
  assert.deepEqual(role.image, { uuid: imageUuid, name: 'debian', docker_image_url: 'registry.test/debian:1' });
  const item = path + role.uuid;
  const patched = async (body: unknown): Promise<MachineRole> =>
    (await server.api<MachineRole>('PATCH', item, body)).body;
  assert.equal((await patched({ name: 'renamed', merge_priority: 50, requires_mesh: true })).image?.uuid, imageUuid);
  assert.equal((await patched({ image_uuid: null })).image, null);
  assert.equal((await patched({})).image, null);
  for (const field of ['image_uuid', 'vip_uuid']) {
    const reply = await server.api('PATCH', item, { [field]: randomUUID() });
    assert.equal(reply.status, 422);
    assert.deepEqual((reply.body['detail'] as { loc: unknown }[])[0]?.loc, ['body', field]);
  }
  assert.match(
    JSON.stringify((await server.api('POST', path, { name: 'v', vip_uuid: randomUUID() })).body),
    /VIPs are not served/,
  );
  assert.equal((await server.api('POST', path, { name: 'renamed' })).status, 409);
});

test('machines need provisioning when what they would be installed with changes, and only then', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const imageUuid = await makeImage(server, 'debian');
  const role = await makeRole(server, { name: 'r' });
  const machine = await provisionedMachine(server, 'r');
  await makeRole(server, { name: 'other' });
  const other = await provisionedMachine(server, 'other');
  const changes: readonly (readonly [Record<string, unknown>, boolean])[] = [
    [{ description: 'd', name: 'renamed', requires_mesh: false }, false],
    [{ template_data: '#cloud-config\n{}\n' }, true],
    [{ template_data: '#cloud-config\n{}\n' }, false],
    [{ merge_priority: 7 }, true],
    [{ image_uuid: imageUuid }, true],
    [{ image_uuid: imageUuid }, false],
    [{ image_uuid: null }, true],
  ];
  for (const [change, isMarked] of changes) {
    settle(server, machine);
    assert.equal((await server.api('PATCH', path + role.uuid, change)).status, 200);
    assert.equal(await needsProvisioning(server, machine), isMarked, JSON.stringify(change));
    assert.equal(await needsProvisioning(server, other), false);
  }
});

test('a deleted role is gone from its machines, which then need provisioning', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const role = await makeRole(server, { name: 'r' });
  const machine = await provisionedMachine(server, 'r');
  assert.equal((await server.api('DELETE', path + role.uuid)).status, 204);
  const { body } = await server.api('GET', `/api/provisioning/machines/${machine}`);
  assert.deepEqual([body['role_names'], body['needs_provisioning']], [[], true]);
  assert.equal((await server.api('GET', path + role.uuid)).status, 404);
});

test('official roles are listed and cannot be changed', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const role = await makeRole(server, { name: 'official' });
  server.context.db.prepare('UPDATE roles SET account_uuid = NULL, is_official = 1 WHERE uuid = ?').run(role.uuid);
  const { body } = await server.api<MachineRole[]>('GET', path);
  assert.deepEqual(
    body.map(({ name, is_official }) => [name, is_official]),
    [['official', true]],
  );
  for (const method of ['PATCH', 'DELETE']) {
    const reply = await server.api(method, path + role.uuid, method === 'PATCH' ? { name: 'mine' } : undefined);
    assert.deepEqual([reply.status, reply.body['detail']], [403, 'official roles cannot be changed']);
  }
  assert.equal((await server.api('POST', path, { name: 'official' })).status, 201, 'an own role of the same name');
});

test('previews show the saved roles, others, and a draft in the place of the saved one', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  await makeRole(server, { name: 'a', template_data: '#cloud-config\nhostname: a\nruncmd: [a]\n' });
  await makeRole(server, {
    name: 'b',
    template_data: '#cloud-config\nhostname: b-{{ machine.hostname }}\nruncmd: [b]\n',
  });
  const machine = await provisionedMachine(server, 'a');
  const preview = async (body: Record<string, unknown>): Promise<RolePreview> => {
    const reply = await server.api<RolePreview>('POST', `${path}preview`, { machine_uuid: machine, ...body });
    assert.equal(reply.status, 200, JSON.stringify(reply.body));
    return reply.body;
  };
  const saved = await preview({});
  assert.equal(saved.user_data, '#cloud-config\nhostname: a\nruncmd: [a]\n');
  assert.deepEqual(saved.parts, [
    { content_type: 'text/cloud-config', file_name: 'cloud-config.yaml', text: saved.user_data },
  ]);
  const { body: own } = await server.api<RolePreview>('GET', `/api/provisioning/machines/${machine}/cloud-init`);
  assert.deepEqual(own, saved);
  const both = await preview({ role_names: ['a', 'b'] });
  assert.equal(both.user_data, '#cloud-config\nhostname: b-new-machine\nruncmd:\n  - a\n  - b\n');
  assert.deepEqual(
    both.roles.map(({ name }) => name),
    ['a', 'b'],
  );
  const draft = { name: 'a', template_data: 'runcmd: [draft]\n' };
  assert.equal((await preview({ role_names: ['a', 'b'], draft })).user_data?.includes('- draft\n  - b\n'), true);
  assert.equal(
    (await preview({ draft: { ...draft, name: 'new' } })).user_data,
    '#cloud-config\nhostname: a\nruncmd:\n  - a\n  - draft\n',
  );
  assert.equal((await preview({ role_names: [], draft })).user_data, '#cloud-config\nruncmd: [draft]\n');
  const broken = await preview({ draft: { name: 'new', template_data: 'a\n{{ vars.NOPE }}' } });
  assert.deepEqual(broken.error, {
    role_name: 'new',
    line: 2,
    message: 'role new, line 2: the variable NOPE does not exist',
  });
  assert.deepEqual([broken.user_data, broken.roles.map(({ name }) => name)], [null, ['a']]);
  assert.equal((await server.api('POST', `${path}preview`, { machine_uuid: randomUUID() })).status, 422);
  assert.equal(
    (await server.api('POST', `${path}preview`, { machine_uuid: machine, role_names: ['nope'] })).status,
    422,
  );
  assert.equal((await server.api('GET', `/api/provisioning/machines/${randomUUID()}/cloud-init`)).status, 404);
});
