import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources } from '../../resources.ts';
import { newIdentity } from '../guest-identity.ts';
import { GuestLan } from '../guest-lan.ts';
import { InstallerGuest } from '../installer-guest.ts';
import { lanHost, startInstallerServer } from '../installer-server.ts';
import type { DiskBus, VmDisk } from '../vm-disk.ts';
import type { NicModel } from '../vm-network.ts';

const gib = 1024 ** 3;

interface Expected {
  readonly bus: DiskBus;
  /** As the server's inventory has it. */
  readonly transport: string | null;
  readonly sectorBytes: 512 | 4096;
}

const disks: readonly Expected[] = [
  { bus: 'virtio', transport: 'virtio', sectorBytes: 512 },
  { bus: 'scsi', transport: 'virtio', sectorBytes: 4096 },
  { bus: 'ahci', transport: 'sata', sectorBytes: 512 },
  { bus: 'nvme', transport: 'nvme', sectorBytes: 4096 },
  { bus: 'pvscsi', transport: 'scsi', sectorBytes: 512 },
  { bus: 'megasas', transport: 'scsi', sectorBytes: 512 },
  { bus: 'usb', transport: 'usb', sectorBytes: 512 },
];

test('virtio-blk, virtio-scsi, AHCI, NVMe, pvscsi, megasas and USB disks are in the inventory that the server has', async () => {
  await using resources = new Resources();
  const server = await startInstallerServer(resources);
  const guest = await InstallerGuest.start(resources, {
    ...{ server, medium: 'direct', firmware: 'seabios' },
    disks: disks.map(({ bus, sectorBytes }, index): VmDisk => {
      const file = resources.sparseFile((index + 2) * gib);
      return { file, bus, serial: `SN-${bus}`, ...(sectorBytes === 4096 ? { sectorBytes } : {}) };
    }),
  });
  const all = disks.map(({ bus }) => `SN-${bus}`);
  const { hardware } = await guest.waitForMachine(
    (machine) => all.every((serial) => machine.hardware?.disks.some((disk) => disk.serial === serial)),
    { timeoutMs: 180_000 },
  );
  const found = all.map((serial) => hardware?.disks.find((disk) => disk.serial === serial));
  assert.deepEqual(
    found.map((disk) => [disk?.transport, disk?.sector_bytes, disk?.size_bytes, disk?.is_eligible]),
    // A stick is listed, and never a target.
    disks.map(({ transport, sectorBytes }, index) => [transport, sectorBytes, (index + 2) * gib, transport !== 'usb']),
  );
});

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
