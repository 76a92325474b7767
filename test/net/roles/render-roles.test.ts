import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServerContext } from '../../../control-plane/context.ts';
import { setRoles } from '../../../control-plane/machines/set-roles.ts';
import { assignMesh } from '../../../control-plane/mesh/allocate-address.ts';
import { createMeshNetwork } from '../../../control-plane/mesh/store-mesh-network.ts';
import { createRenderer, type RoleRenderer } from '../../../control-plane/roles/create-renderer.ts';
import { createRole } from '../../../control-plane/roles/store-role.ts';
import { RenderError } from '../../../control-plane/services.ts';
import { createAccountValue } from '../../../control-plane/variables/store-account-value.ts';
import { checkCloudConfig } from '../../builders/check-cloud-config.ts';
import { debianPython } from '../../builders/debian-python.ts';
import { exampleRoles } from '../../builders/example-roles.ts';
import { testContext } from '../../builders/server-context.ts';
import { insertTestMachine } from '../../builders/test-agent.ts';
import { Resources } from '../../resources.ts';

const secretValue = 'K10::server: "quoted" #1';

interface Rack {
  readonly context: ServerContext;
  readonly renderer: RoleRenderer;
  readonly meshUuid: string;
  addRole(name: string, template: string, options?: { priority?: number; requiresMesh?: boolean }): void;
  addMachine(hostname: string, roles: readonly string[]): string;
}

/** A server's database with the example roles, a secret, variables and a mesh network. */
function makeRack(resources: Resources): Rack {
  const context = testContext(resources);
  const renderer = createRenderer(context);
  resources.defer('close the renderer', () => renderer.close());
  const mesh = { name: 'lab', network_cidr: '10.42.0.0/24', is_default: false, route_reflector_mode: false };
  const meshUuid = createMeshNetwork(context, mesh).uuid;
  const value = (kind: 'variable' | 'secret', name: string, text: string): unknown =>
    createAccountValue(context, kind, { name, value: text, description: '' });
  value('secret', 'K3S_TOKEN', secretValue);
  value('variable', 'REGION', 'eu');
  value('variable', 'admin_ssh_key', 'ssh-ed25519 AAAAC3Nz me@host');
  const addRole: Rack['addRole'] = (name, template, { priority = 100, requiresMesh = false } = {}) => {
    createRole(context, {
      name,
      merge_priority: priority,
      template_data: template,
      description: '',
      image_uuid: null,
      vip_uuid: null,
      requires_mesh: requiresMesh,
    });
  };
  for (const [name, template] of Object.entries(exampleRoles))
    addRole(name, template, { priority: name === 'base' ? 10 : 100 });
  const addMachine: Rack['addMachine'] = (hostname, roles) => {
    const { machineUuid } = insertTestMachine(context);
    context.db
      .prepare('UPDATE machines SET hostname = ?, discovered_ip_addresses = ? WHERE uuid = ?')
      .run(hostname, JSON.stringify([`192.0.2.${hostname.length}`]), machineUuid);
    assignMesh(context, machineUuid, meshUuid);
    setRoles(context, machineUuid, roles);
    return machineUuid;
  };
  return { context, renderer, meshUuid, addRole, addMachine };
}

async function failureOf(work: Promise<unknown>): Promise<RenderError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof RenderError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: 'the roles rendered' });
}

test('a cluster of three: each machine gets its own part, and cloud-init takes every part', async () => {
  await using resources = new Resources();
  const rack = makeRack(resources);
  const machines = {
    first: rack.addMachine('node-1', ['base', 'k3s-server']),
    second: rack.addMachine('node-22', ['k3s-server', 'base']),
    third: rack.addMachine('node-333', ['base', 'k3s-agent', 'motd']),
  };
  const [first, second, third] = await Promise.all(
    Object.values(machines).map((uuid) => rack.renderer.renderMachine(uuid)),
  );
  assert.match(first?.userData ?? '', /cluster-init: true/);
  assert.match(first?.userData ?? '', /\n {8}- 192\.0\.2\.6\n/);
  assert.match(second?.userData ?? '', /server: https:\/\/10\.42\.0\.1:6443/);
  assert.ok(second?.userData?.includes(`token: ${secretValue}\n`));
  const order = [...(second?.userData ?? '').matchAll(/^ {2}- (path: \S+|curl|open-iscsi|nfs-common)$/gm)].map(
    ([, line]) => line,
  );
  assert.deepEqual(order, [
    'curl',
    'open-iscsi',
    'nfs-common',
    'path: /etc/durantic/hosts.env',
    'path: /etc/durantic/cluster-init',
  ]);
  assert.deepEqual(
    third?.parts.map(({ contentType }) => contentType),
    ['text/cloud-config', 'text/x-shellscript'],
  );
  const parts = [first, second, third].flatMap((rendered) => rendered?.parts ?? []);
  for (const { contentType, text } of parts) {
    if (contentType === 'text/cloud-config') assert.equal(await checkCloudConfig(resources, text), null, text);
  }
  const read = await debianPython<[string, string, string][]>('parts', third?.userData);
  assert.deepEqual(
    read,
    third?.parts.map(({ contentType, fileName, text }) => [contentType, fileName, text]),
  );
  assert.match(
    read[1]?.[2] ?? '',
    /^#!\/bin\/sh\n\nset -eu\nname=\$\{1:-\$\(hostname\)\}\necho "\$\{#name\} characters"/,
  );
});

test("the check by cloud-init's schema can fail", async () => {
  await using resources = new Resources();
  assert.match((await checkCloudConfig(resources, '#cloud-config\nusers: 12\n')) ?? '', /users/);
  assert.match((await checkCloudConfig(resources, '#cloud-config\nruncmd: "not a list"\n')) ?? '', /runcmd/);
  assert.notEqual(await checkCloudConfig(resources, '#cloud-config\na: [\n'), null);
  assert.notEqual(await checkCloudConfig(resources, 'hostname: h\n'), null, 'the first line is missing');
});

test('every role by itself, every pair and all of them pass the schema, whatever their order', async () => {
  await using resources = new Resources();
  const rack = makeRack(resources);
  rack.addMachine('server', ['k3s-server']);
  const names = ['base', 'k3s-server', 'k3s-agent'];
  const sets = [
    ...names.map((name) => [name]),
    ['base', 'k3s-agent'],
    ['k3s-agent', 'k3s-server'],
    names,
    names.toReversed(),
  ];
  for (const roles of sets) {
    const { userData } = await rack.renderer.renderMachine(rack.addMachine('m', roles));
    assert.equal(await checkCloudConfig(resources, userData ?? ''), null, `${roles.join(', ')}:\n${userData}`);
  }
});

test('roles are merged by priority, equal ones in the order of role_names', async () => {
  await using resources = new Resources();
  const rack = makeRack(resources);
  rack.addRole('low', 'runcmd: [low]\nhostname: low', { priority: -5 });
  rack.addRole('a', 'runcmd: [a]\nhostname: a');
  rack.addRole('b', 'runcmd: [b]\nhostname: b');
  const render = async (...roles: string[]): Promise<string | null> =>
    (await rack.renderer.renderMachine(rack.addMachine('m', roles))).userData;
  const expected = (...order: string[]): string =>
    `#cloud-config\nruncmd:\n${order.map((name) => `  - ${name}\n`).join('')}hostname: ${order.at(-1)}\n`;
  assert.equal(await render('a', 'b', 'low'), expected('low', 'a', 'b'));
  assert.equal(await render('b', 'low', 'a'), expected('low', 'b', 'a'));
});

test('machines without roles, mesh network or templates', async () => {
  await using resources = new Resources();
  const rack = makeRack(resources);
  assert.deepEqual(await rack.renderer.renderMachine(rack.addMachine('m', [])), { userData: null, parts: [] });
  rack.addRole(
    'lonely',
    "hostname: h-{{ peers | length }}-{{ machine.mesh.ip | default('none') }}-{{ 1 if machine.mesh }}",
  );
  rack.addRole('meshed', 'hostname: {{ machine.mesh.name }}', { requiresMesh: true });
  const lonely = rack.addMachine('m', ['lonely']);
  assignMesh(rack.context, lonely, null);
  assert.equal((await rack.renderer.renderMachine(lonely)).userData, '#cloud-config\nhostname: h-0-none-\n');
  const meshed = rack.addMachine('m', ['meshed']);
  assert.equal((await rack.renderer.renderMachine(meshed)).userData, '#cloud-config\nhostname: lab\n');
  assignMesh(rack.context, meshed, null);
  const failure = await failureOf(rack.renderer.renderMachine(meshed));
  assert.equal(failure.message, 'role meshed: the role needs a mesh network and the machine is in none');
});

test('a fault names role, line and reason', async () => {
  await using resources = new Resources();
  const rack = makeRack(resources);
  rack.addRole('typo', '#cloud-config\nruncmd:\n  - echo {{ secrets.K3S_TOKN }}\n');
  rack.addRole('broken', '#cloud-config\n{% if %}\n');
  rack.addRole('text', '#cloud-config\npackages: nginx\n');
  rack.addRole('endless', '\n{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}');
  const messages: Readonly<Record<string, string>> = {
    typo: 'role typo, line 3: the secret K3S_TOKN does not exist',
    broken: 'role broken, line 2: syntax error: expected an expression, found %}',
    text: 'role text: packages is a single value here but a list in the role base',
    endless: 'role endless, line 2: the template took longer than 2 s and was ended',
  };
  for (const [role, message] of Object.entries(messages)) {
    const failure = await failureOf(rack.renderer.renderMachine(rack.addMachine('m', ['base', role])));
    assert.equal(failure.message, message);
    assert.equal(failure.roleName, role);
  }
});

test('a message never repeats a secret, and a preview holds none in any form', async () => {
  await using resources = new Resources();
  const rack = makeRack(resources);
  createAccountValue(rack.context, 'secret', { name: 'ALIAS', value: '*hunter2', description: '' });
  rack.addRole('leaky', 'password: {{ secrets.ALIAS }}\n');
  const leaky = rack.addMachine('m', ['leaky']);
  const failure = await failureOf(rack.renderer.renderMachine(leaky));
  assert.doesNotMatch(failure.message, /hunter2/);
  rack.addRole('key-1', '"{{ secrets.ALIAS }}": 1');
  rack.addRole('key-2', '"{{ secrets.ALIAS }}": []');
  const clash = await failureOf(rack.renderer.renderMachine(rack.addMachine('m', ['key-1', 'key-2'])));
  assert.equal(clash.message, 'role key-2: <secret ALIAS> is a list here but a single value in the role key-1');
  rack.addMachine('server', ['k3s-server']);
  const machine = rack.addMachine('node-3', ['base', 'k3s-server', 'k3s-agent']);
  const preview = await rack.renderer.previewRoles({ machine_uuid: machine });
  assert.equal(preview.error, null);
  const shown = JSON.stringify(preview);
  assert.ok(!shown.includes(secretValue) && !shown.includes(JSON.stringify(secretValue).slice(1, -1)));
  for (const encoded of shown.match(/[A-Za-z0-9+/]{24,}={0,2}/g) ?? []) {
    assert.ok(!Buffer.from(encoded, 'base64').toString('latin1').includes('K10::server'));
  }
  assert.match(preview.user_data ?? '', /token: <secret K3S_TOKEN>/);
});
