import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { lookForEsp } from '../../../../agent/reentry/esp-folder.ts';
import { partitionTypes } from '../../../../agent/rootfs/types.ts';
import { type TreeNode, writeTree } from '../../../builders/rootfs-tree.ts';
import { Resources } from '../../../resources.ts';

const linux = '0fc63daf-8483-4772-8e79-3d69d8477de4';
const uuid = (disk: string, number: number): string =>
  `${disk === 'sda' ? 1 : 2}0000000-0000-4000-8000-00000000000${number}`;

interface System {
  /** What is mounted, by folder. */
  readonly mounts: Readonly<Record<string, string>>;
  /** Types of the partitions of each disk. */
  readonly disks: Readonly<Record<string, readonly string[]>>;
  /** What efibootmgr prints; none: it fails. */
  readonly firmware?: string;
}

/** findmnt, lsblk and efibootmgr of util-linux 2.38 and efibootmgr 17, from files. */
const programs: Readonly<Record<string, string>> = {
  findmnt: `for word; do case $word in /*) folder=$word ;; esac; done
cat "$dir/mounts$(echo "$folder" | tr / _)" 2>/dev/null || exit 1`,
  lsblk: `for word; do case $word in /dev/*) disk=$word ;; esac; done
cat "$dir/disks/$(basename "$disk")"`,
  efibootmgr:
    'cat "$dir/firmware" 2>/dev/null || { echo "EFI variables are not supported on this system." >&2; exit 2; }',
};

function treeOf({ mounts, disks, firmware }: System): Record<string, TreeNode> {
  const tree: Record<string, TreeNode> = {};
  for (const [name, script] of Object.entries(programs)) {
    tree[`bin/${name}`] = { mode: 0o755, data: `#!/bin/sh\ndir=$(dirname "$0")/..\n${script}\n` };
  }
  for (const [target, source] of Object.entries(mounts)) {
    const fstype = source.startsWith('/dev/') ? 'vfat' : 'zfs';
    tree[`mounts${target.replaceAll('/', '_')}`] = JSON.stringify({ filesystems: [{ source, fstype, target }] });
  }
  for (const [disk, types] of Object.entries(disks)) {
    const whole = { name: disk, path: `/dev/${disk}`, type: 'disk' };
    const parts = types.map((parttype, index) => {
      const name = `${disk}${index + 1}`;
      const mountpoint = Object.entries(mounts).find(([, source]) => source === `/dev/${name}`)?.[0] ?? null;
      return { name, path: `/dev/${name}`, type: 'part', parttype, partuuid: uuid(disk, index + 1), mountpoint };
    });
    tree[`disks/${disk}`] = JSON.stringify({ blockdevices: [whole, ...parts] });
    tree[`sys/class/block/${disk}`] = { link: `../../devices/${disk}` };
    tree[`sys/devices/${disk}/size`] = '1000';
    for (const [index, { name, partuuid }] of parts.entries()) {
      tree[`sys/devices/${disk}/${name}/partition`] = `${index + 1}\n`;
      tree[`sys/class/block/${name}`] = { link: `../../devices/${disk}/${name}` };
      tree[`dev/disk/by-partuuid/${partuuid}`] = { link: `../../${name}` };
    }
  }
  return firmware === undefined ? tree : { ...tree, firmware };
}

/** Device of the EFI system partition that is found, and the disk it is said to be on. */
async function found(system: System): Promise<readonly [string, string] | null> {
  await using resources = new Resources();
  const dir = resources.tempDir();
  writeTree(dir, treeOf(system));
  const path = process.env['PATH'];
  process.env['PATH'] = `${join(dir, 'bin')}:${path}`;
  resources.defer('PATH', () => {
    process.env['PATH'] = path;
  });
  const roots = { sysRoot: join(dir, 'sys'), procRoot: join(dir, 'proc'), devRoot: join(dir, 'dev') };
  const esp = await lookForEsp(AbortSignal.timeout(30_000), roots);
  return esp === null ? null : [esp.partition.device, esp.disk.path];
}

const zfs = { '/': 'rpool/ROOT/ubuntu' };
const twoDisks = { sda: [linux], sdb: [partitionTypes.esp, linux] };
const started = (disk: string, number: number): string => `BootCurrent: 0003
BootOrder: 0001,0003
Boot0001* other\tHD(1,GPT,${uuid('sda', 1)},0x800,0x100000)/File(\\EFI\\BOOT\\BOOTX64.EFI)
Boot0003* ubuntu\tHD(${number},GPT,${uuid(disk, number).toUpperCase()},0x800,0x100000)/File(\\EFI\\ubuntu\\shimx64.efi)
`;

test('the EFI system partition that is mounted counts, also for a root on ZFS or on another disk', async () => {
  assert.deepEqual(await found({ mounts: { ...zfs, '/boot/efi': '/dev/sdb1' }, disks: twoDisks }), [
    '/dev/sdb1',
    '/dev/sdb',
  ]);
  const apart = { '/': '/dev/sda1', '/efi': '/dev/sdb1' };
  assert.deepEqual(await found({ mounts: apart, disks: twoDisks }), ['/dev/sdb1', '/dev/sdb']);
  const ofBoth = { sda: [partitionTypes.esp, linux], sdb: [partitionTypes.esp] };
  const second = { '/': '/dev/sda2', '/boot': '/dev/sdb1' };
  assert.deepEqual(
    await found({ mounts: second, disks: ofBoth }),
    ['/dev/sdb1', '/dev/sdb'],
    'before that of the root',
  );
});

test("else that of the root's disk; a boot partition that is none does not count", async () => {
  const disks = { sda: [linux, partitionTypes.esp, linux], sdb: [partitionTypes.esp] };
  const mounts = { '/': '/dev/sda3', '/boot': '/dev/sda1' };
  assert.deepEqual(await found({ mounts, disks, firmware: started('sdb', 1) }), ['/dev/sda2', '/dev/sda']);
});

test('else the one that the firmware has started the system from', async () => {
  assert.deepEqual(await found({ mounts: zfs, disks: twoDisks, firmware: started('sdb', 1) }), [
    '/dev/sdb1',
    '/dev/sdb',
  ]);
  assert.equal(await found({ mounts: zfs, disks: twoDisks, firmware: started('sdb', 2) }), null, 'no such type');
  assert.equal(await found({ mounts: zfs, disks: twoDisks, firmware: started('sda', 9) }), null, 'gone');
  assert.equal(await found({ mounts: zfs, disks: twoDisks, firmware: 'BootOrder: 0001\n' }), null);
  assert.equal(await found({ mounts: zfs, disks: twoDisks }), null, 'a firmware that cannot be asked');
});
