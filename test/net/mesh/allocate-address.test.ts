import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ServerContext } from '../../../control-plane/context.ts';
import { ApiError } from '../../../control-plane/http/api-error.ts';
import { assignDefaultMesh, assignMesh } from '../../../control-plane/mesh/allocate-address.ts';
import { createMeshNetwork, updateMeshNetwork } from '../../../control-plane/mesh/store-mesh-network.ts';
import { testContext } from '../../builders/server-context.ts';
import { insertTestMachine } from '../../builders/test-agent.ts';
import { Resources } from '../../resources.ts';

function makeNetwork(context: ServerContext, name: string, cidr: string, isDefault = false): string {
  const body = { name, network_cidr: cidr, is_default: isDefault, route_reflector_mode: false };
  return createMeshNetwork(context, body).uuid;
}

function refusal(work: () => unknown): ApiError {
  try {
    work();
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: 'nothing was refused' });
}

/** Hosts of a /29, lowest first: never the network's or the broadcast address. */
const hosts = (third: number): string[] => [1, 2, 3, 4, 5, 6].map((last) => `10.0.${third}.${last}`);

test('whatever is assigned, moved and deleted: one address is one machine, the lowest that is free, and it stays', async () => {
  await using resources = new Resources();
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ machine: fc.nat(8), network: fc.constantFrom(0, 1, null) }) },
    { weight: 1, arbitrary: fc.record({ machine: fc.nat(8), network: fc.constant('delete' as const) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const context = testContext(resources);
      const networks = [makeNetwork(context, 'a', '10.0.0.0/29'), makeNetwork(context, 'b', '10.0.1.0/29')];
      const machines = Array.from({ length: 9 }, () => insertTestMachine(context).machineUuid);
      const model = new Map<string, { network: number; ip: string }>();
      for (const { machine, network } of steps) {
        const uuid = machines[machine] ?? '';
        if (network === 'delete') {
          context.db.prepare('DELETE FROM machines WHERE uuid = ?').run(uuid);
          model.delete(uuid);
          machines[machine] = insertTestMachine(context).machineUuid;
          continue;
        }
        const current = model.get(uuid);
        if (network === null) {
          assert.equal(assignMesh(context, uuid, null), null);
          model.delete(uuid);
        } else if (current?.network === network) {
          assert.equal(assignMesh(context, uuid, networks[network] ?? ''), current.ip, 'a member keeps its address');
        } else {
          const taken = new Set([...model.values()].map(({ ip }) => ip));
          const free = hosts(network).find((ip) => !taken.has(ip));
          const assign = (): string | null => assignMesh(context, uuid, networks[network] ?? '');
          if (free === undefined) assert.equal(refusal(assign).status, 409);
          else {
            assert.equal(assign(), free);
            model.set(uuid, { network, ip: free });
          }
        }
        const rows = context.db
          .prepare('SELECT uuid, mesh_ip_address FROM machines WHERE mesh_ip_address IS NOT NULL')
          .all();
        assert.deepEqual(
          new Map(rows.map((row) => [row['uuid'], row['mesh_ip_address']])),
          new Map([...model].map(([key, { ip }]) => [key, ip])),
        );
      }
      context.db.close();
    }),
    { numRuns: 60 },
  );
});

test('a /24 holds 254 machines and says when it is full', async () => {
  await using resources = new Resources();
  const context = testContext(resources);
  const network = makeNetwork(context, 'lab', '192.168.7.0/24');
  const addresses = Array.from({ length: 254 }, () =>
    assignMesh(context, insertTestMachine(context).machineUuid, network),
  );
  assert.equal(new Set(addresses).size, 254);
  assert.deepEqual([addresses[0], addresses[253]], ['192.168.7.1', '192.168.7.254']);
  const full = refusal(() => assignMesh(context, insertTestMachine(context).machineUuid, network));
  assert.deepEqual([full.status, full.message], [409, 'the mesh network lab (192.168.7.0/24) has no free address']);
});

test('an assignment that is rolled back takes no address', async () => {
  await using resources = new Resources();
  const context = testContext(resources);
  const network = makeNetwork(context, 'lab', '10.0.0.0/30');
  const [first, second] = [insertTestMachine(context).machineUuid, insertTestMachine(context).machineUuid];
  context.db.exec('BEGIN IMMEDIATE');
  assert.equal(assignMesh(context, first, network), '10.0.0.1');
  context.db.exec('ROLLBACK');
  assert.equal(assignMesh(context, second, network), '10.0.0.1');
  assert.equal(assignMesh(context, first, network), '10.0.0.2');
});

test('unknown machines and networks are refused', async () => {
  await using resources = new Resources();
  const context = testContext(resources);
  const network = makeNetwork(context, 'lab', '10.0.0.0/30');
  const machine = insertTestMachine(context).machineUuid;
  assert.equal(refusal(() => assignMesh(context, network, network)).status, 404);
  assert.equal(refusal(() => assignMesh(context, machine, machine)).status, 422);
});

test('new machines join the default network, if there is one with room', async () => {
  await using resources = new Resources();
  const context = testContext(resources);
  const join = (): string | null => assignDefaultMesh(context, insertTestMachine(context).machineUuid);
  assert.equal(join(), null);
  const first = makeNetwork(context, 'first', '10.0.0.0/30', true);
  assert.deepEqual([join(), join(), join()], ['10.0.0.1', '10.0.0.2', null], 'a full one keeps nobody from enrolling');
  makeNetwork(context, 'second', '10.0.1.0/30', true);
  assert.equal(join(), '10.0.1.1', 'the newer default took the place of the older');
  updateMeshNetwork(context, first, { is_default: true });
  assert.equal(join(), null, 'and gave it back');
});
