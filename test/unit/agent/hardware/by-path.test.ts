import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { byPathNames } from '../../../../agent/hardware/by-path-names.ts';
import { listDisks } from '../../../../agent/hardware/list-disks.ts';
import { resolveDisk } from '../../../../agent/hardware/resolve-disk.ts';
import { Resources } from '../../../resources.ts';
import { FakeSystem } from './fake-system.ts';

const resources = new Resources();
after(() => resources[Symbol.asyncDispose]());

/** Where the kernel has a disk → the names that udev 252 gives it. */
const disks: Readonly<Record<string, { at: string; names: string[] }>> = {
  vda: { at: 'pci0000:00/0000:00:04.0/virtio1', names: ['pci-0000:00:04.0', 'virtio-pci-0000:00:04.0'] },
  nvme0n1: { at: 'pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0', names: ['pci-0000:03:00.0-nvme-1'] },
  sda: {
    at: 'pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0',
    names: ['pci-0000:00:1f.2-ata-3', 'pci-0000:00:1f.2-ata-3.0'],
  },
  sdb: {
    at: 'pci0000:00/0000:00:05.0/virtio2/host5/target5:0:1/5:0:1:0',
    names: ['pci-0000:00:05.0-scsi-0:0:1:0', 'virtio-pci-0000:00:05.0-scsi-0:0:1:0'],
  },
  sdc: {
    at: 'pci0000:00/0000:00:14.0/usb2/2-1/2-1.4/2-1.4:1.0/host6/target6:0:0/6:0:0:0',
    names: ['pci-0000:00:14.0-usb-0:1.4:1.0-scsi-0:0:0:0'],
  },
  sdd: {
    at: 'pci0000:80/0000:80:02.0/0000:82:00.0/host7/target7:2:3/7:2:3:0',
    names: ['pci-0000:82:00.0-scsi-0:2:3:0'],
  },
  sde: {
    at: 'pci0000:00/0000:00:06.0/host8/port-8:0/end_device-8:0/target8:0:0/8:0:0:0',
    names: ['pci-0000:00:06.0-sas-0x5000c5008e2a1c21-lun-0', 'pci-0000:00:06.0-sas-phy4-lun-0'],
  },
  sdf: {
    at: 'LNXSYSTM:00/ACPI0004:00/VMBUS:00/f8b3781a-1e82-4818-a1c3-63d806ec15bb/host9/target9:0:0/9:0:0:1',
    names: ['acpi-VMBUS:00-vmbus-f8b3781a1e824818a1c363d806ec15bb-lun-1', 'acpi-VMBUS:00-scsi-0:0:0:1'],
  },
  loop0: { at: 'virtual', names: [] },
};

const system = new FakeSystem(resources);
for (const [name, { at }] of Object.entries(disks)) system.add({ name, at, sizeBytes: 20e9 });
system.sys('class/ata_port/ata3/port_no', '3\n');
system.sys('class/sas_device/end_device-8:0/sas_address', '0x5000c5008e2a1c21\n');
system.sys('class/sas_device/end_device-8:0/phy_identifier', '4\n');

test('F22 by-path names are those of udev, made from sysfs', async () => {
  for (const [name, { names }] of Object.entries(disks)) {
    assert.deepEqual(await byPathNames(name, system.roots), names, name);
  }
});

test('F22 a disk is found by each of its by-path names, with and without the folder, and by no other', async () => {
  const all = await listDisks(system.roots);
  for (const [disk, { names }] of Object.entries(disks)) {
    for (const name of names) {
      for (const spec of [name, `/dev/disk/by-path/${name}`]) {
        assert.equal((await resolveDisk(spec, all, system.roots)).name, disk, spec);
      }
    }
  }
  for (const spec of ['pci-0000:00:1f.2-ata-30', 'pci-0000:00:04.0-part1', '/dev/disk/by-path/pci-0000:00:09.0']) {
    await assert.rejects(resolveDisk(spec, all, system.roots), { code: 'target_not_found' }, spec);
  }
});
