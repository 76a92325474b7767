import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources } from '../../resources.ts';
import { InstallerGuest } from '../installer-guest.ts';
import { startInstallerServer } from '../installer-server.ts';
import type { DiskBus, VmDisk } from '../vm-disk.ts';

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
