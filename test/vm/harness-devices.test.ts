import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources } from '../resources.ts';
import { startVm } from './qemu.ts';
import type { DiskBus } from './vm-disk.ts';
import type { NicModel } from './vm-network.ts';

const mib = 1024 * 1024;
const buses: readonly DiskBus[] = ['virtio', 'scsi', 'ahci', 'nvme', 'pvscsi', 'megasas', 'usb'];
const models: readonly NicModel[] = ['virtio-net-pci', 'e1000', 'e1000e', 'vmxnet3', 'rtl8139', 'usb-net'];

test('QEMU makes a disk on every bus, an optical drive, every card, and what else a machine may have', async () => {
  await using resources = new Resources();
  const uuid = '3f1c54a2-7a60-4e8e-9d0e-0a6f3f0e6c11';
  const vm = await startVm(resources, {
    name: 'harness-devices',
    firmware: 'seabios',
    isPaused: true,
    disks: [
      ...buses.map((bus) => ({
        file: resources.sparseFile(mib),
        bus,
        ...(bus === 'scsi' ? { wwn: '0x5000c500a1b2c3d4' } : {}),
      })),
      { file: resources.sparseFile(mib), bus: 'ahci', isOptical: true, id: 'cd' },
    ],
    network: models.map((model) => ({ model, backend: 'nothing' })),
    smbios: { uuid, serial: 'A, B', boardSerial: 'C', vendor: 'V', product: 'P' },
    clock: '1970-01-01T00:00:00',
    serialPorts: ['none', 'console', 'second'],
    display: 'absent',
  });
  assert.equal(await vm.status(), 'prelaunch');
  assert.deepEqual(await vm.execute('query-uuid'), { UUID: uuid });
  const blocks = (await vm.execute('query-block')) as { qdev: string; inserted: { ro: boolean } }[];
  const isReadOnly = (id: string): boolean | undefined =>
    blocks.find(({ qdev }) => qdev.split('/').includes(id))?.inserted.ro;
  for (const [index, bus] of buses.entries()) assert.equal(isReadOnly(`disk${index}`), false, bus);
  assert.equal(isReadOnly('cd'), true);
  for (const index of models.keys()) {
    await vm.setLink(false, index);
    await vm.setLink(true, index);
  }
  await vm.resume();
  assert.equal(await vm.status(), 'running');
});
