import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { startTestServer } from '../../builders/server.ts';
import { insertTestMachine } from '../../builders/test-agent.ts';
import { Resources } from '../../resources.ts';

const path = '/api/controlplane/mesh-networks/';
type Network = { uuid: string; is_default: boolean; available_ip_count: number; machine_count: number; name: string };

test('networks are private, do not overlap, and keep their CIDR', async () => {
  await using resources = new Resources();
  const { api } = await startTestServer(resources);
  const { body: lab } = await api<Network>('POST', path, { name: 'lab', network_cidr: '10.42.0.0/24' });
  const refused: readonly (readonly [unknown, number, RegExp])[] = [
    [{ name: 'lab', network_cidr: '10.43.0.0/24' }, 409, /there is a mesh network lab already/],
    [{ name: 'b', network_cidr: '10.42.0.0/24' }, 409, /10\.42\.0\.0\/24 overlaps the mesh network lab/],
    [{ name: 'b', network_cidr: '10.42.0.128/25' }, 409, /overlaps/],
    [{ name: 'b', network_cidr: '10.0.0.0/8' }, 409, /overlaps/],
    [{ name: 'b', network_cidr: '100.64.0.0/24' }, 422, /private ranges/],
    [{ name: 'b', network_cidr: '10.42.1.1/24' }, 422, /must begin with the network's address: 10\.42\.1\.0\/24/],
    [{ name: 'b', network_cidr: null }, 422, /./],
    [{ name: 'b' }, 422, /./],
    [{ name: 'b', network_cidr: '10.43.0.0/24', is_default: null }, 422, /./],
  ];
  for (const [body, status, message] of refused) {
    const reply = await api<{ detail: unknown }>('POST', path, body);
    assert.equal(reply.status, status, JSON.stringify(body));
    assert.match(JSON.stringify(reply.body.detail), message);
  }
  const changed = await api<{ detail: unknown }>('PATCH', path + lab.uuid, { network_cidr: '10.44.0.0/24' });
  assert.equal(changed.status, 422);
  assert.match(JSON.stringify(changed.body), /cannot be changed from 10\.42\.0\.0\/24/);
  const repeated = await api('PATCH', path + lab.uuid, { network_cidr: '10.42.0.0/24', name: 'renamed' });
  assert.deepEqual([repeated.status, repeated.body['name']], [200, 'renamed']);
  assert.equal((await api('PATCH', path + randomUUID(), {})).status, 404);
  assert.equal((await api('DELETE', path + randomUUID())).status, 404);
});

test('at most one network is the default', async () => {
  await using resources = new Resources();
  const { api } = await startTestServer(resources);
  const make = async (name: string, third: number): Promise<Network> =>
    (await api<Network>('POST', path, { name, network_cidr: `10.42.${third}.0/24`, is_default: true })).body;
  const [first, second] = [await make('first', 0), await make('second', 1)];
  const defaults = async (): Promise<string[]> =>
    (await api<Network[]>('GET', path)).body.filter(({ is_default }) => is_default).map(({ name }) => name);
  assert.deepEqual(await defaults(), ['second']);
  await api('PATCH', path + first.uuid, { is_default: true });
  assert.deepEqual(await defaults(), ['first']);
  await api('PATCH', path + second.uuid, { name: 'still not' });
  assert.deepEqual(await defaults(), ['first']);
  await api('PATCH', path + first.uuid, { is_default: false });
  assert.deepEqual(await defaults(), []);
});

test('machines that join at once get different addresses; the network can go while they remain', async () => {
  await using resources = new Resources();
  const { api, context } = await startTestServer(resources);
  const { body: network } = await api<Network>('POST', path, { name: 'lab', network_cidr: '10.42.0.0/27' });
  const machines = Array.from({ length: 31 }, () => insertTestMachine(context).machineUuid);
  const joined = await Promise.all(
    machines.map((uuid) =>
      api<{ mesh_ip_address: string }>('PATCH', `/api/provisioning/machines/${uuid}`, {
        mesh_network_uuid: network.uuid,
      }),
    ),
  );
  const addresses = joined.filter(({ status }) => status === 200).map(({ body }) => body.mesh_ip_address);
  assert.equal(new Set(addresses).size, 30, 'a /27 has 30 hosts');
  assert.deepEqual(
    joined.filter(({ status }) => status !== 200).map(({ status }) => status),
    [409],
  );
  const { body: full } = await api<Network>('GET', path + network.uuid);
  assert.deepEqual([full.machine_count, full.available_ip_count], [30, 0]);
  const told: string[] = [];
  const stop = context.events.subscribe((event) => event.type === 'machine' && told.push(event.uuid));
  assert.equal((await api('DELETE', path + network.uuid)).status, 204);
  stop();
  assert.equal(new Set(told).size, 30);
  for (const uuid of machines) {
    const { body } = await api('GET', `/api/provisioning/machines/${uuid}`);
    assert.deepEqual([body['mesh_network'], body['mesh_ip_address']], [null, null]);
  }
  const { body: again } = await api<Network>('POST', path, { name: 'lab', network_cidr: '10.42.0.0/27' });
  assert.equal(again.available_ip_count, 30);
});
