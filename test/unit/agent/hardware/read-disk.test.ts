import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDisk } from '../../../../agent/hardware/read-disk.ts';
import { Resources } from '../../../resources.ts';
import { FakeSystem } from './fake-system.ts';

const gigabyte = 1e9;
const ataPath = 'pci0000:00/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0';

function addSata(system: FakeSystem, name = 'sda'): string {
  return system.add({
    name,
    sizeBytes: 480 * gigabyte,
    at: `${ataPath}/${name}`,
    attributes: {
      'device/vendor': 'ATA     ',
      'device/model': 'SAMSUNG MZ7LH480',
      'device/vpd_pg80': Buffer.from('\0\x80\0\x14S45PNA0M800000      ', 'latin1'),
      'device/wwid': 'naa.5002538E40AABBCC',
    },
  });
}

test('a SATA disk: serial number from VPD page 0x80, wwn without its prefix, transport from its place', async () => {
  await using resources = new Resources();
  const system = new FakeSystem(resources);
  const devno = addSata(system);
  const { users, partitions, ...facts } = await readDisk('/dev/sda', system.roots);
  assert.deepEqual(facts, {
    path: '/dev/sda',
    name: 'sda',
    devno,
    sizeBytes: 480 * gigabyte,
    sectorBytes: 512,
    readOnly: false,
    removable: false,
    kind: 'disk',
    transport: 'sata',
    model: 'SAMSUNG MZ7LH480',
    serial: 'S45PNA0M800000',
    wwn: '5002538e40aabbcc',
  });
  assert.deepEqual([users, partitions], [[], []]);
});

test('an NVMe disk with 4096-byte sectors, a virtio disk, a USB stick', async () => {
  await using resources = new Resources();
  const system = new FakeSystem(resources);
  system.add({
    name: 'nvme0n1',
    sizeBytes: 960 * gigabyte,
    at: 'pci0000:00/0000:01:00.0/nvme/nvme0',
    attributes: {
      'queue/logical_block_size': '4096',
      wwid: 'eui.36434630529000010025384100000002',
      'device/serial': 'S64FNE0R900001 ',
      'device/model': 'SAMSUNG MZQL2960',
    },
  });
  system.add({
    name: 'vda',
    sizeBytes: 1e10,
    at: 'pci0000:00/0000:00:04.0/virtio1',
    attributes: { serial: 'disk-1', 'device/vendor': '0x1af4' },
  });
  system.add({
    name: 'sdb',
    sizeBytes: 3.2e10,
    at: 'pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0',
    attributes: { removable: '1', 'device/vendor': 'SanDisk', 'device/model': 'Ultra Fit' },
  });
  for (const [name, value] of [
    ['2-1/idVendor', '0781'],
    ['2-1/serial', '4C530001'],
    ['serial', '0000:00:14.0'],
  ]) {
    system.sys(`devices/pci0000:00/0000:00:14.0/usb2/${name}`, `${value}`);
  }
  const nvme = await readDisk('/dev/nvme0n1', system.roots);
  assert.deepEqual(
    [nvme.transport, nvme.serial, nvme.model, nvme.wwn, nvme.sectorBytes],
    ['nvme', 'S64FNE0R900001', 'SAMSUNG MZQL2960', '36434630529000010025384100000002', 4096],
  );
  const virtio = await readDisk('/dev/vda', system.roots);
  assert.deepEqual([virtio.transport, virtio.serial, virtio.model, virtio.wwn], ['virtio', 'disk-1', null, null]);
  const usb = await readDisk('/dev/sdb', system.roots);
  assert.deepEqual(
    [usb.transport, usb.model, usb.removable, usb.serial],
    ['usb', 'SanDisk Ultra Fit', true, '4C530001'],
  );
});

test('sizes and starts of partitions are in 512-byte units, whatever the sector is', async () => {
  await using resources = new Resources();
  const system = new FakeSystem(resources);
  addSata(system);
  for (const number of [1, 2, 10]) {
    const attributes = { partition: `${number}`, start: `${number * 2048}` };
    system.add({ name: `sda${number}`, partitionOf: 'sda', sizeBytes: 1048576, attributes });
  }
  const disk = await readDisk('/dev/sda', system.roots);
  assert.deepEqual(
    disk.partitions.map(({ number, startBytes, sizeBytes }) => [number, startBytes, sizeBytes]),
    [
      [1, 1048576, 1048576],
      [2, 2097152, 1048576],
      [10, 10485760, 1048576],
    ],
  );
  assert.equal((await readDisk('/dev/sda2', system.roots)).kind, 'partition');
});

test('F33 mounts are found by device number, by source (btrfs), and for every device of a btrfs', async () => {
  await using resources = new Resources();
  const system = new FakeSystem(resources);
  addSata(system);
  const parts = [1, 2, 3].map((number) =>
    system.add({ name: `sda${number}`, partitionOf: 'sda', attributes: { partition: `${number}` } }),
  );
  system.sys('fs/btrfs/aaaa-bbbb/devices/sda3/dev', '8:4');
  system.proc(
    'self/mountinfo',
    [
      `22 1 ${parts[0]} / / rw,relatime shared:1 - ext4 /dev/root rw`,
      `23 22 ${parts[0]} /srv /mnt/with\\040space rw - ext4 /dev/root rw`,
      '24 22 0:41 /sub /data rw,relatime master:1 - btrfs /dev/sda2 rw',
      '25 22 0:22 / /proc rw - proc proc rw',
    ].join('\n'),
  );
  const { users } = await readDisk('/dev/sda', system.roots);
  assert.deepEqual(
    users
      .map(({ device, kind, detail, canStop }) => ({ device, kind, detail, canStop }))
      .sort((a, b) => (a.detail < b.detail ? -1 : 1)),
    [
      { device: '/dev/sda1', kind: 'mount', detail: 'mounted at /', canStop: false },
      { device: '/dev/sda2', kind: 'mount', detail: 'mounted at /data', canStop: false },
      { device: '/dev/sda1', kind: 'mount', detail: 'mounted at /mnt/with space', canStop: false },
      { device: '/dev/sda3', kind: 'mount', detail: 'part of the mounted btrfs filesystem aaaa-bbbb', canStop: false },
    ],
  );
});

test('F33 swap, an md array and LVM wholly on the disk can be stopped, the highest in the stack first', async () => {
  await using resources = new Resources();
  const system = new FakeSystem(resources);
  addSata(system);
  for (const number of [1, 2, 3])
    system.add({ name: `sda${number}`, partitionOf: 'sda', attributes: { partition: `${number}` } });
  system.add({ name: 'md0', slaves: ['sda1', 'sda2'], attributes: { 'md/level': 'raid1' } });
  const group = 'a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6';
  system.add({
    name: 'dm-0',
    slaves: ['md0'],
    attributes: { 'dm/name': 'vg0-swap', 'dm/uuid': `LVM-${group}${'x'.repeat(32)}` },
  });
  system.proc('swaps', 'Filename\tType\n/dev/dm-0 partition 1 0 -2\n/dev/sda3 partition 1 0 -3\n');
  const { users } = await readDisk('/dev/sda', system.roots);
  assert.ok(users.every((user) => user.canStop));
  assert.deepEqual(
    users.map(({ device, kind }) => `${kind} ${device}`),
    ['swap /dev/dm-0', 'lvm /dev/dm-0', 'md /dev/md0', 'swap /dev/sda3'],
  );
  assert.equal(users.find(({ kind }) => kind === 'lvm')?.vgUuid, 'a1B2c3-D4e5-F6g7-H8i9-J0k1-L2m3-N4o5P6');
});

test('F33 what spans other disks, open LUKS and multipath cannot be stopped, and the others are named', async () => {
  await using resources = new Resources();
  const system = new FakeSystem(resources);
  addSata(system, 'sda');
  addSata(system, 'sdb');
  system.add({ name: 'sda1', partitionOf: 'sda', attributes: { partition: '1' } });
  system.add({ name: 'md0', slaves: ['sda1', 'sdb'], attributes: { 'md/level': 'raid1' } });
  const group = `LVM-${'G'.repeat(32)}`;
  system.add({
    name: 'dm-0',
    slaves: ['sda1'],
    attributes: { 'dm/name': 'vg-a', 'dm/uuid': `${group}${'a'.repeat(32)}` },
  });
  system.add({
    name: 'dm-1',
    slaves: ['sdb'],
    attributes: { 'dm/name': 'vg-b', 'dm/uuid': `${group}${'b'.repeat(32)}` },
  });
  system.add({ name: 'dm-2', slaves: ['sda1'], attributes: { 'dm/name': 'secret', 'dm/uuid': 'CRYPT-LUKS2-1234' } });
  system.add({ name: 'dm-3', slaves: ['sda'], attributes: { 'dm/name': 'mpatha', 'dm/uuid': 'mpath-3600' } });
  const { users } = await readDisk('/dev/sda', system.roots);
  assert.ok(users.every((user) => !user.canStop));
  const details = users.map((user) => user.detail).sort();
  assert.deepEqual(details, [
    'LVM volume vg-a, its volume group also on /dev/sdb',
    'md array (raid1), also on /dev/sdb',
    'multipath device mpatha',
    'open LUKS volume secret',
  ]);
});

test('a loop device on the disk itself is a user of it', async () => {
  await using resources = new Resources();
  const system = new FakeSystem(resources);
  addSata(system);
  system.add({ name: 'loop3', attributes: { 'loop/backing_file': '/dev/sda' } });
  const { users } = await readDisk('/dev/sda', system.roots);
  assert.deepEqual(
    users.map(({ detail }) => detail),
    ['attached to /dev/loop3'],
  );
});

test('a name that the kernel does not know is target_not_found', async () => {
  await using resources = new Resources();
  const system = new FakeSystem(resources);
  await assert.rejects(readDisk('/dev/sdz', system.roots), { code: 'target_not_found' });
});
