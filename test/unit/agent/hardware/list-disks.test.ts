import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEligible, listDisks } from '../../../../agent/hardware/list-disks.ts';
import { resolveDisk } from '../../../../agent/hardware/resolve-disk.ts';
import { Resources } from '../../../resources.ts';
import { diskFacts } from './disk-facts.ts';
import { type FakeDevice, FakeSystem } from './fake-system.ts';

const at = 'pci0000:00/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0';
const size = 1e11;

test('F21 zero-size, read-only, zram, loop, virtual floppy and optical drives are never chosen', async () => {
  await using resources = new Resources();
  const system = new FakeSystem(resources);
  const unfit: readonly FakeDevice[] = [
    { name: 'sda', sizeBytes: 0, at: `${at}/a` },
    { name: 'sdb', sizeBytes: size, at: `${at}/b`, attributes: { ro: '1' } },
    { name: 'sdc', sizeBytes: 1474560, at: `${at}/c`, attributes: { 'device/model': 'Virtual Floppy' } },
    { name: 'sdd', sizeBytes: size, at: `${at}/d`, attributes: { removable: '1' } },
    { name: 'sde', sizeBytes: size, at: `${at}/e`, attributes: { 'device/type': '5' } },
    { name: 'sr0', sizeBytes: size },
    { name: 'fd0', sizeBytes: 1474560 },
    { name: 'loop0', sizeBytes: size },
    { name: 'zram0', sizeBytes: size },
    { name: 'ram0', sizeBytes: size },
    { name: 'mmcblk0boot0', sizeBytes: 4194304 },
    { name: 'md127', sizeBytes: size, attributes: { 'md/level': 'raid1' } },
    { name: 'dm-0', sizeBytes: size, attributes: { 'dm/name': 'vg-root' } },
  ];
  for (const device of unfit) system.add(device);
  const disks = await listDisks(system.roots);
  assert.deepEqual(disks.map(({ name }) => name).sort(), unfit.map(({ name }) => name).sort());
  for (const disk of disks)
    assert.match(isEligible(disk) ?? 'chosen', new RegExp(`^${disk.path} (is|has) `), disk.name);
  for (const spec of [null, 'size>=1,smallest', 'largest']) {
    await assert.rejects(resolveDisk(spec, disks), { code: 'target_not_found', message: /sr0 is an optical drive$/ });
  }
  system.add({ name: 'sdz', sizeBytes: size, at: `${at}/z` });
  assert.equal((await resolveDisk(null, await listDisks(system.roots))).name, 'sdz');
});

test('partitions and hidden paths of a multipath NVMe namespace are not listed', async () => {
  await using resources = new Resources();
  const system = new FakeSystem(resources);
  system.add({ name: 'nvme0n1', sizeBytes: size });
  system.add({ name: 'nvme0n1p1', partitionOf: 'nvme0n1', attributes: { partition: '1' } });
  system.add({ name: 'nvme0c0n1', sizeBytes: size, attributes: { hidden: '1' } });
  assert.deepEqual(
    (await listDisks(system.roots)).map(({ name }) => name),
    ['nvme0n1'],
  );
});

test('a disk that is used by what cannot be stopped is not chosen, one that only swaps is', () => {
  const user = { device: '/dev/sda1', depth: 1 };
  const mounted = diskFacts({
    name: 'sda',
    users: [{ ...user, kind: 'mount', detail: 'mounted at /', canStop: false }],
  });
  const swapping = diskFacts({
    name: 'sda',
    users: [{ ...user, kind: 'swap', detail: 'in use as swap', canStop: true }],
  });
  assert.equal(isEligible(mounted), '/dev/sda1 is mounted at /');
  assert.equal(isEligible(swapping), null);
});
