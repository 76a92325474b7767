import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { ApiError } from '../../../control-plane/http/api-error.ts';
import { createImage, updateImage } from '../../../control-plane/images/store-image.ts';
import type { LiveEvent } from '../../../control-plane/live/event-bus.ts';
import { deleteMachine } from '../../../control-plane/machines/delete-machine.ts';
import { describeMachine, listMachines, type MachineSource } from '../../../control-plane/machines/describe-machine.ts';
import { updateMachine } from '../../../control-plane/machines/update-machine.ts';
import type { MachineUpdate } from '../../../protocol/api/machines.ts';
import { startProvisionServer } from '../../builders/provision-server.ts';
import { FakeClock, testContext } from '../../builders/server-context.ts';
import { insertTestMachine } from '../../builders/test-agent.ts';
import { Resources } from '../../resources.ts';

interface Fixture extends MachineSource {
  readonly uuid: string;
  readonly clock: FakeClock;
  /** Settings that were pushed to agents. */
  readonly pushed: unknown[];
  readonly closed: unknown[];
  readonly events: LiveEvent[];
  patch(update: MachineUpdate): ReturnType<typeof describeMachine>;
  addRole(name: string, imageUuid?: string, accountUuid?: string | null): string;
}

/** Machines on a real database; the hub notes what it is told. */
function fixture(resources: Resources): Fixture {
  const clock = new FakeClock();
  const context = testContext(resources, { clock });
  const pushed: unknown[] = [];
  const closed: unknown[] = [];
  const events: LiveEvent[] = [];
  context.events.subscribe((event) => events.push(event));
  const hub: MachineSource['hub'] = {
    isConnected: () => false,
    send: () => false,
    answersPing: async () => false,
    disconnect: (...args) => void closed.push(args),
    lastSeenAt: () => null,
    pushConfig: (uuid, config) => void pushed.push([uuid, config]),
  };
  const source = { context, hub };
  const uuid = insertTestMachine(context).machineUuid;
  return {
    ...source,
    uuid,
    clock,
    pushed,
    closed,
    events,
    patch: (update) => {
      updateMachine(source, uuid, update);
      return describeMachine(source, uuid);
    },
    addRole: (name, imageUuid, accountUuid = context.accountUuid) => {
      const roleUuid = randomUUID();
      context.db
        .prepare(
          `INSERT INTO roles (uuid, account_uuid, name, merge_priority, template_data, description, image_uuid,
             requires_mesh, created_at, updated_at) VALUES (?, ?, ?, 100, '', '', ?, 0, '', '')`,
        )
        .run(roleUuid, accountUuid, name, imageUuid ?? null);
      return roleUuid;
    },
  };
}

function addMesh({ context }: Fixture, cidr: string): string {
  const uuid = randomUUID();
  context.db
    .prepare(`INSERT INTO mesh_networks VALUES (?, ?, ?, ?, 0, 0, '', '')`)
    .run(uuid, context.accountUuid, cidr, cidr);
  return uuid;
}

function clearMark({ context, uuid }: Fixture): void {
  context.db.prepare('UPDATE machines SET needs_provisioning = 0 WHERE uuid = ?').run(uuid);
}

const is422 = (error: unknown): boolean => error instanceof ApiError && error.status === 422;

test('role_names replaces the whole list and comes back in its order; [] clears it', async () => {
  await using resources = new Resources();
  const machines = fixture(resources);
  for (const name of ['a', 'b', 'c']) machines.addRole(name);
  assert.deepEqual(machines.patch({ role_names: ['c', 'a', 'b'] }).role_names, ['c', 'a', 'b']);
  assert.deepEqual(machines.patch({ tunnel_type: 'geneve' }).role_names, ['c', 'a', 'b'], 'absent is unchanged');
  for (const names of ['abc', 'acb', 'bac', 'bca', 'cab', 'cba', 'abc', 'cba']) {
    clearMark(machines);
    const other = machines.patch({ role_names: [...names] });
    assert.deepEqual([other.role_names, other.needs_provisioning], [[...names], true], 'another order is another list');
  }
  assert.deepEqual(machines.patch({ role_names: ['b', 'c'] }).role_names, ['b', 'c']);
  assert.deepEqual(listMachines(machines)[0]?.role_names, ['b', 'c']);
  assert.throws(() => machines.patch({ role_names: ['a', 'no such role'] }), is422);
  assert.throws(() => machines.patch({ role_names: ['a', 'a'] }), is422);
  assert.deepEqual(describeMachine(machines, machines.uuid).role_names, ['b', 'c'], 'a refused list changes nothing');
  assert.deepEqual(machines.patch({ role_names: [] }).role_names, []);
});

test('a refused PATCH changes nothing at all', async () => {
  await using resources = new Resources();
  const machines = fixture(resources);
  const before = describeMachine(machines, machines.uuid);
  machines.clock.advance(1000);
  assert.throws(() => machines.patch({ target_disk: '/dev/sdx', hostname: 'other', role_names: ['none'] }), is422);
  assert.throws(() => machines.patch({ stun_enabled: true, mesh_network_uuid: randomUUID() }), is422);
  assert.deepEqual(describeMachine(machines, machines.uuid), before);
  assert.deepEqual([machines.pushed, machines.events], [[], []]);
});

test('an own role goes before an official one of the same name', async () => {
  await using resources = new Resources();
  const machines = fixture(resources);
  machines.addRole('web', undefined, null);
  const own = machines.addRole('web');
  machines.patch({ role_names: ['web'] });
  assert.equal(machines.context.db.prepare('SELECT role_uuid FROM machine_roles').get()?.['role_uuid'], own);
});

test('roles, target disk and hostname need a run; everything else does not', async () => {
  await using resources = new Resources();
  const machines = fixture(resources);
  machines.addRole('a');
  const mesh = addMesh(machines, '10.1.0.0/24');
  for (const [update, isNeeded] of [
    [{ role_names: ['a'] }, true],
    [{ role_names: ['a'] }, false],
    [{ target_disk: '/dev/sda' }, true],
    [{ target_disk: '/dev/sda' }, false],
    [{ target_disk: null }, true],
    [{ hostname: 'node-1' }, true],
    [{ mesh_network_uuid: mesh, tunnel_type: 'wireguard', stun_enabled: true }, false],
    [{ auto_update: true, inject_agent: false, kexec_installer: true, boot_timeout_seconds: 60 }, false],
  ] as const) {
    clearMark(machines);
    assert.equal(machines.patch(update as MachineUpdate).needs_provisioning, isNeeded, JSON.stringify(update));
  }
});

test('agents are told of their mesh and of auto_update, when it is another than before', async () => {
  await using resources = new Resources();
  const machines = fixture(resources);
  const mesh = addMesh(machines, '10.1.0.0/24');
  const member = machines.patch({ mesh_network_uuid: mesh });
  assert.deepEqual(member.mesh_network, { uuid: mesh, name: '10.1.0.0/24', network_cidr: '10.1.0.0/24' });
  assert.deepEqual([member.mesh_ip_address, member.wg_ip_address], ['10.1.0.1', '10.1.0.1']);
  assert.equal(listMachines(machines)[0]?.mesh_network_uuid, mesh);
  machines.patch({ mesh_network_uuid: mesh, auto_update: false, target_disk: '/dev/sda' });
  machines.patch({ auto_update: true });
  const none = machines.patch({ mesh_network_uuid: null });
  assert.deepEqual([none.mesh_network, none.mesh_ip_address], [null, null]);
  const inMesh = { ip: '10.1.0.1', network_cidr: '10.1.0.0/24' };
  assert.deepEqual(machines.pushed, [
    [machines.uuid, { auto_update: false, mesh: inMesh }],
    [machines.uuid, { auto_update: true, mesh: inMesh }],
    [machines.uuid, { auto_update: true, mesh: null }],
  ]);
});

test('updated_at moves with each change and created_at stays', async () => {
  await using resources = new Resources();
  const machines = fixture(resources);
  const before = describeMachine(machines, machines.uuid);
  machines.clock.advance(1000);
  const after = machines.patch({ stun_enabled: true });
  assert.equal(after.created_at, before.created_at);
  assert.equal(Date.parse(after.updated_at) - Date.parse(before.updated_at), 1000);
});

test('another URL of an image marks the machines that it is for, and no others', async () => {
  await using resources = new Resources();
  const machines = fixture(resources);
  const { context } = machines;
  const create = (name: string): string =>
    createImage(context, {
      name,
      docker_image_url: `r.test/${name}`,
      registry_credential_uuid: null,
      description: null,
    }).uuid;
  const [standard, ofRole] = [create('standard'), create('of-role')];
  machines.addRole('web', ofRole);
  context.db.prepare('UPDATE accounts SET default_image_uuid = ?').run(standard);
  const plain = insertTestMachine(context).machineUuid;
  machines.patch({ role_names: ['web'] });
  const marked = (): string[] => {
    const rows = context.db.prepare('SELECT uuid FROM machines WHERE needs_provisioning = 1').all();
    context.db.prepare('UPDATE machines SET needs_provisioning = 0').run();
    return rows.map((row) => String(row['uuid']));
  };
  marked();
  updateImage(context, ofRole, { docker_image_url: 'r.test/of-role:2' });
  assert.deepEqual(marked(), [machines.uuid]);
  updateImage(context, standard, { docker_image_url: 'r.test/standard:2' });
  assert.deepEqual(marked(), [plain]);
  updateImage(context, standard, { description: 'the same', docker_image_url: 'r.test/standard:2' });
  assert.deepEqual(marked(), []);
});

test('a forgotten machine takes everything of it along, closes its socket, and is no duplicate any more', async () => {
  await using resources = new Resources();
  const machines = fixture(resources);
  const { db } = machines.context;
  const twin = insertTestMachine(machines.context).machineUuid;
  const others = [machines.uuid, randomUUID()];
  db.prepare('UPDATE machines SET possible_duplicates = ? WHERE uuid = ?').run(JSON.stringify(others), twin);
  db.prepare(`INSERT INTO machine_events (machine_uuid, time, kind, message, facts) VALUES (?, '', 'x', '', '{}')`).run(
    machines.uuid,
  );
  deleteMachine(machines, machines.uuid);
  assert.deepEqual(
    listMachines(machines).map(({ uuid }) => uuid),
    [twin],
  );
  assert.deepEqual(describeMachine(machines, twin).possible_duplicates, [others[1]]);
  assert.equal(db.prepare('SELECT count(*) AS rows FROM machine_events').get()?.['rows'], 0);
  assert.deepEqual(machines.closed, [[machines.uuid, 4404, 'the machine was deleted']]);
  assert.deepEqual(machines.events.at(-1), { type: 'machine_deleted', uuid: machines.uuid });
  assert.throws(() => deleteMachine(machines, machines.uuid), { status: 404 });
});

test('the operator’s hostname stays when the machine calls itself otherwise', async () => {
  await using resources = new Resources();
  const server = await startProvisionServer(resources);
  const machine = server.machine();
  await machine.boot({ mode: 'installed', hostname: 'debian' });
  assert.equal(server.describe(machine.uuid).hostname, 'debian');
  updateMachine({ context: server.context, hub: server.hub }, machine.uuid, { hostname: 'node-7' });
  await machine.boot({ mode: 'installed', hostname: 'debian' });
  assert.equal(server.describe(machine.uuid).hostname, 'node-7');
});

test('online is a sign of life within 60 seconds, to the millisecond', async () => {
  await using resources = new Resources();
  const server = await startProvisionServer(resources);
  const machine = server.machine();
  assert.deepEqual(
    [server.describe(machine.uuid).is_online, server.describe(machine.uuid).last_seen_at],
    [false, null],
  );
  await machine.bootInstaller();
  const seen = server.describe(machine.uuid);
  assert.deepEqual([seen.is_online, seen.is_in_initrd, seen.mode], [true, true, 'installer']);
  machine.off();
  server.clock.advance(59_999);
  assert.equal(server.describe(machine.uuid).is_online, true);
  server.clock.advance(1);
  const gone = server.describe(machine.uuid);
  assert.deepEqual([gone.is_online, gone.is_in_initrd, gone.mode], [false, false, 'installer']);
});
