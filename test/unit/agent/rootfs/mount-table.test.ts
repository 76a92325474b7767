import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partitionOfSource, readMountTable } from '../../../../agent/rootfs/mount-table.ts';
import { RootFiles } from '../../../../agent/rootfs/root-files.ts';
import type { PartitionIdentity } from '../../../../agent/rootfs/types.ts';
import { bootLayout, identities } from '../../../builders/boot-layout.ts';
import { writeTree } from '../../../builders/rootfs-tree.ts';
import { Resources } from '../../../resources.ts';

test('fstab: comments, tabs, escaped spaces, a slash at the end, missing fields', async () => {
  await using resources = new Resources();
  const root = resources.tempDir();
  const lines = ['# /dev/sda1 /boot', '', 'UUID=a\t/\text4\tdefaults 0 1', 'LABEL=a\\040b /boot/ ext4 noauto,ro', 'x'];
  writeTree(root, { 'etc/fstab': lines.join('\n') });
  assert.deepEqual(readMountTable(new RootFiles(root)), [
    { source: 'UUID=a', point: '', options: ['defaults'] },
    { source: 'LABEL=a b', point: '/boot', options: ['noauto', 'ro'] },
    { source: 'x', point: '', options: [''] },
  ]);
  assert.deepEqual(readMountTable(new RootFiles(resources.tempDir())), []);
});

test('a source of fstab is found among the partitions by what names it, and by nothing else', () => {
  const [bios, esp, root, boot] = bootLayout('/', { separateBoot: true }).partitions;
  assert.ok(bios && esp && root && boot);
  const named: PartitionIdentity = { ...boot, fsLabel: 'my boot', partLabel: 'Boot 1' };
  const partitions = [bios, esp, root, named];
  const forms: readonly (readonly [string, number | null])[] = [
    [`UUID=${identities.bootFs}`, 4],
    [`UUID=${identities.bootFs.toUpperCase()}`, 4],
    [`UUID="${identities.bootFs}"`, 4],
    [`UUID=${identities.espFs.toLowerCase()}`, 2],
    [`PARTUUID=${identities.rootPart}`, 3],
    ['LABEL=my boot', 4],
    ['LABEL=My boot', null],
    ['PARTLABEL=Boot 1', 4],
    [`/dev/disk/by-uuid/${identities.bootFs}`, 4],
    [`/dev/disk/by-partuuid/${identities.bootPart}`, 4],
    ['/dev/disk/by-label/my\\x20boot', 4],
    ['/dev/disk/by-partlabel/Boot\\x201', 4],
    [`UUID=${identities.bootPart}`, null],
    ['UUID=', null],
    ['/dev/sda4', null],
    ['/dev/mapper/vg-boot', null],
    ['tmpfs', null],
  ];
  for (const [source, number] of forms) {
    assert.equal(partitionOfSource(source, partitions)?.number ?? null, number, source);
  }
  const twice = [...partitions, { ...root, number: 5, fsLabel: 'my boot' }];
  assert.equal(partitionOfSource('LABEL=my boot', twice), null);
});
