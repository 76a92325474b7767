import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources } from '../resources.ts';
import { newIdentity } from '../vm/guest-identity.ts';
import { GuestLan } from '../vm/guest-lan.ts';
import { InstallerGuest } from '../vm/installer-guest.ts';
import { lanHost, startInstallerServer } from '../vm/installer-server.ts';
import type { NicModel } from '../vm/vm-network.ts';

const models: readonly NicModel[] = ['virtio-net-pci', 'e1000e', 'vmxnet3'];

test('virtio-net, e1000e and vmxnet3 each get a lease, and each carries the connection when the others are unplugged', async () => {
  await using resources = new Resources();
  const server = await startInstallerServer(resources);
  const lan = await GuestLan.create(resources);
  await lan.join(server);
  const cables = [await lan.addCable(), await lan.addCable(), await lan.addCable()];
  const dhcp = await Promise.all(cables.map((cable) => lan.startDhcp(cable)));
  const identity = newIdentity(models.length);
  const guest = await InstallerGuest.start(resources, {
    ...{ server, identity, medium: 'direct', firmware: 'seabios', host: lanHost, netns: lan.netns },
    network: cables.map(({ card }, index) => ({ ...card, model: models[index] ?? 'virtio-net-pci' })),
  });
  const machine = await guest.waitForMachine();
  assert.deepEqual(machine.facts?.nics.map(({ mac }) => mac).sort(), [...identity.macs].sort());
  const carried: string[] = [];
  while (carried.length < cables.length) {
    const winner = await guest.vm.waitUntil(
      `another card than ${carried.join(', ')} to carry the connection`,
      async () =>
        (await lan.connections(server.process.port)).map(subnetOf).find((subnet) => !carried.includes(subnet)),
      { timeoutMs: 120_000 },
    );
    carried.push(winner);
    const index = cables.findIndex(({ subnet }) => subnet === winner);
    const mac = identity.macs[index] ?? '';
    // A card may have none before: the first that reaches the server ends the others' search.
    const lease = dhcp[index]?.leases()[0];
    assert.deepEqual([lease?.mac, lease?.clientId], [mac, `01:${mac}`], models[index] ?? '');
    const seenFrom = Date.now();
    await guest.waitForMachine(({ last_seen_at }) => Date.parse(last_seen_at ?? '') > seenFrom);
    await guest.vm.setLink(false, index);
    console.log(`${models[index]} carried the connection; pulled`);
  }
  assert.deepEqual(
    [...carried].sort(),
    cables.map(({ subnet }) => subnet),
  );
});

function subnetOf(address: string): string {
  return address.split('.').slice(0, 3).join('.');
}
