import assert from 'node:assert/strict';
import { chmodSync, chownSync, linkSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { findEmbeddedIdentifiers } from '../../../agent/rootfs/find-embedded-identifiers.ts';
import { type IdentifierPlan, keepIdentifiers, planIdentifiers } from '../../../agent/rootfs/plan-identifiers.ts';
import { rewriteIdentifiers } from '../../../agent/rootfs/rewrite-identifiers.ts';
import { scrubIdentity } from '../../../agent/rootfs/scrub-identity.ts';
import { setFilesystemUuid } from '../../../agent/rootfs/set-filesystem-uuid.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { blkid, type DiskFixture, espText, makeDiskFixture, readAt } from '../../builders/loop-disk.ts';
import { peFile, quietContext, snapshot, writeTree } from '../../builders/rootfs-tree.ts';
import { Resources } from '../../resources.ts';

function planFor(disk: DiskFixture): IdentifierPlan {
  return planIdentifiers(disk.partitions, disk.diskGuid);
}

test('F42 random seed of the ESP and identity of the root are gone', async () => {
  await using resources = new Resources();
  const disk = await makeDiskFixture(resources, {
    grubCore: null,
    rootTree: { 'etc/machine-id': 'abc\n', 'etc/ssh/ssh_host_rsa_key': 'key', 'var/lib/systemd/random-seed': 'x' },
    espTree: { 'loader/random-seed': 'seed', 'loader/loader.conf': 'timeout 1\n' },
  });
  const report = await scrubIdentity({ root: disk.root, espDevice: disk.espDevice }, quietContext);
  assert.ok(report.scrubbed.includes('esp:/loader/random-seed'), report.scrubbed.join());
  const listing = await runCommand('mdir', ['-/', '-b', '-i', disk.espDevice, '::']);
  assert.ok(!listing.stdout.includes('random-seed'));
  assert.ok(listing.stdout.includes('loader.conf'));
  assert.equal(readFileSync(join(disk.root, 'etc/machine-id'), 'utf8'), '');
});

test('F42 an ESP without any file, as that of an image for BIOS alone, has nothing to remove', async () => {
  await using resources = new Resources();
  const disk = await makeDiskFixture(resources, { espTree: {} });
  const { scrubbed } = await scrubIdentity({ root: disk.root, espDevice: disk.espDevice }, quietContext);
  assert.ok(
    scrubbed.every((path) => !path.startsWith('esp:')),
    scrubbed.join(),
  );
});

test('F43 every text reference on root and ESP is rewritten; owner, mode, links and xattrs stay', async () => {
  await using resources = new Resources();
  const disk = await makeDiskFixture(resources, {
    grubCore: null,
    espTree: { 'EFI/debian/grub.cfg': '', 'loader/entries/a.conf': '' },
  });
  const [, esp, root] = disk.partitions;
  assert.ok(esp?.fsUuid && root?.fsUuid);
  writeTree(disk.root, {
    'etc/fstab': `UUID=${root.fsUuid} / ext4 defaults 0 1\nLABEL=ESP /boot/efi vfat defaults 0 0\n`,
    'etc/crypttab': `c PARTUUID=${root.partUuid} none luks\n`,
    'etc/kernel/cmdline': `root=PARTLABEL=sys quiet\n`,
    'etc/default/grub': `GRUB_CMDLINE_LINUX="resume=UUID=${root.fsUuid}"\n`,
    'etc/initramfs-tools/conf.d/resume': `RESUME=UUID=${root.fsUuid}\n`,
    'boot/grub/grub.cfg': `search --fs-uuid --set=root ${root.fsUuid}\nlinux /k root=LABEL=root ro\n`,
    'boot/grub/grubenv': `# GRUB Environment Block\nkernelopts=root=LABEL=root ro\n`.padEnd(1024, '#'),
    'boot/loader/entries/a.conf': `options root=UUID=${root.fsUuid}\n`,
    'etc/hostname': `not-a-reference-${root.fsUuid}\n`,
  });
  await putOnEsp(resources, disk, '/EFI/debian/grub.cfg', `search.fs_uuid ${root.fsUuid} root hd0,gpt3\n`);
  await putOnEsp(resources, disk, '/loader/entries/a.conf', `options root=PARTUUID=${root.partUuid}\n`);
  const fstab = join(disk.root, 'etc/fstab');
  chmodSync(fstab, 0o640);
  chownSync(fstab, 12, 34);
  linkSync(fstab, join(disk.root, 'etc/fstab.link'));
  await runCommand('setfattr', ['-n', 'security.selinux', '-v', 'system_u:object_r:etc_t:s0', fstab]);
  const plan = planFor(disk);
  const fresh = { esp: plan.partitions[1], root: plan.partitions[2] };
  const { changed } = await rewriteIdentifiers({ root: disk.root, espDevice: disk.espDevice, plan }, quietContext);
  const read = (path: string): string => readFileSync(join(disk.root, path), 'utf8');
  assert.equal(
    read('etc/fstab'),
    `UUID=${fresh.root?.fsUuid} / ext4 defaults 0 1\nUUID=${fresh.esp?.fsUuid} /boot/efi vfat defaults 0 0\n`,
  );
  assert.equal(read('etc/kernel/cmdline'), `root=PARTUUID=${fresh.root?.partUuid} quiet\n`);
  const grubenv = read('boot/grub/grubenv');
  assert.equal(grubenv.length, 1024);
  assert.match(grubenv, new RegExp(`kernelopts=root=UUID=${fresh.root?.fsUuid} ro\n#+$`));
  assert.equal(
    await espText(disk.espDevice, '/EFI/debian/grub.cfg'),
    `search.fs_uuid ${fresh.root?.fsUuid} root hd0,gpt3\n`,
  );
  assert.equal(
    await espText(disk.espDevice, '/loader/entries/a.conf'),
    `options root=PARTUUID=${fresh.root?.partUuid}\n`,
  );
  for (const old of [root.fsUuid, root.partUuid]) {
    const everything = Object.entries(snapshot(disk.root)).filter(([path]) => path !== 'etc/hostname');
    const left = everything.filter(([, node]) => node.includes(Buffer.from(old).toString('hex')));
    assert.deepEqual(
      left.map(([path]) => path),
      [],
    );
  }
  assert.equal(changed.length, 10, changed.join());
  const stat = statSync(fstab);
  assert.deepEqual([stat.mode & 0o7777, stat.uid, stat.gid, stat.nlink], [0o640, 12, 34, 2]);
  const label = await runCommand('getfattr', ['--only-values', '-n', 'security.selinux', fstab]);
  assert.match(label.stdout, /etc_t/);
});

test('F43 identifiers in GRUB core, PE file and initramfs are found, kept, and named in a warning', async () => {
  await using resources = new Resources();
  const disk = await makeDiskFixture(resources, {
    grubCore: (uuid) => `search.fs_uuid ${uuid} root\nset prefix=($root)/boot/grub\n`,
    espTree: { 'EFI/BOOT/BOOTX64.EFI': peFile() },
  });
  const [, esp, root] = disk.partitions;
  assert.ok(esp?.fsUuid && root?.fsUuid);
  await putOnEsp(
    resources,
    disk,
    '/EFI/BOOT/BOOTX64.EFI',
    peFile({ text: `root=PARTUUID=${esp.partUuid.toUpperCase()}` }),
  );
  writeTree(disk.root, {
    'boot/initrd.img-1': zstdCompressSync(Buffer.from(`RESUME=/dev/disk/by-uuid/${esp.fsUuid}\n`)),
    'boot/initramfs-2.img': Buffer.from('fd377a585a0000', 'hex'),
  });
  const places = { partitions: disk.partitions, diskGuid: disk.diskGuid };
  const early = await findEmbeddedIdentifiers(
    { ...places, head: disk.readHead(), biosBootDevice: disk.biosDevice, espDevice: disk.espDevice },
    quietContext,
  );
  assert.deepEqual(
    early.found.map(({ kind, file }) => `${kind} ${file}`),
    ['fs_uuid BIOS boot partition', 'part_uuid esp:/EFI/BOOT/BOOTX64.EFI'],
  );
  assert.match(early.warnings.join('\n'), new RegExp(`BIOS boot partition holds the filesystem UUID ${root.fsUuid}`));
  const late = await findEmbeddedIdentifiers({ ...places, root: disk.root }, quietContext);
  assert.deepEqual(
    late.found.map(({ value, file }) => `${value} ${file}`),
    [`${esp.fsUuid} /boot/initrd.img-1`],
  );
  assert.match(late.warnings.join('\n'), /initramfs-2\.img could not be searched.*xz/);
  const kept = keepIdentifiers(planFor(disk), [...early.found, ...late.found]);
  assert.equal(kept.partitions[2]?.fsUuid, root.fsUuid);
  assert.equal(kept.partitions[1]?.partUuid, esp.partUuid);
  assert.equal(kept.partitions[1]?.fsUuid, esp.fsUuid);
  assert.notEqual(kept.partitions[2]?.partUuid, root.partUuid);
});

test('F43 a GRUB core that finds its root by itself holds nothing', async () => {
  await using resources = new Resources();
  const disk = await makeDiskFixture(resources, { espTree: { 'EFI/BOOT/BOOTX64.EFI': peFile() } });
  const report = await findEmbeddedIdentifiers(
    {
      partitions: disk.partitions,
      diskGuid: disk.diskGuid,
      head: disk.readHead(),
      biosBootDevice: disk.biosDevice,
      espDevice: disk.espDevice,
      root: disk.root,
    },
    quietContext,
  );
  assert.deepEqual(report, { found: [], warnings: [] });
});

test('UUIDs of ext4 and FAT are set, the filesystems stay clean and keep their labels', async () => {
  await using resources = new Resources();
  const disk = await makeDiskFixture(resources, { grubCore: null, espTree: { 'EFI/x': 'x' } });
  await runCommand('umount', [disk.root]);
  const plan = planFor(disk);
  const { signal } = quietContext;
  for (const { old, fsUuid } of plan.partitions) {
    if (fsUuid === null || old.fsType === null) continue;
    const device = `${disk.disk}p${old.number}`;
    await setFilesystemUuid({ device, fsType: old.fsType, fsUuid }, { signal });
    assert.equal(await blkid(device, 'UUID'), fsUuid);
    assert.equal(await blkid(device, 'LABEL'), old.fsLabel);
  }
  await runCommand('e2fsck', ['-f', '-n', disk.rootDevice]);
  await runCommand('fsck.fat', ['-n', disk.espDevice]);
  // FAT32 keeps a second boot sector, which repair tools copy back.
  const serialAt = 67;
  assert.deepEqual(readAt(disk.espDevice, 4, 6 * 512 + serialAt), readAt(disk.espDevice, 4, serialAt));
  assert.equal((await espText(disk.espDevice, '/EFI/x')).trim(), 'x');
});

test('UUIDs of xfs and swap are set', async () => {
  await using resources = new Resources();
  const uuid = '77777777-1111-4111-8111-777777777777';
  const xfs = await resources.loop(resources.sparseFile(320 * 1024 * 1024));
  await runCommand('mkfs.xfs', ['-q', xfs]);
  const swap = await resources.loop(resources.sparseFile(16 * 1024 * 1024));
  await runCommand('mkswap', [swap]);
  for (const [device, fsType] of [
    [xfs, 'xfs'],
    [swap, 'swap'],
  ] as const) {
    await setFilesystemUuid({ device, fsType, fsUuid: uuid }, quietContext);
    assert.equal(await blkid(device, 'UUID'), uuid);
  }
  await assert.rejects(setFilesystemUuid({ device: xfs, fsType: 'btrfs', fsUuid: uuid }, quietContext), {
    code: 'invariant',
  });
  await assert.rejects(setFilesystemUuid({ device: swap, fsType: 'vfat', fsUuid: '1234-ABCD' }, quietContext), {
    code: 'device_io',
  });
});

test('F49 hostile links in the image: rewriting and searching stay inside the root', async () => {
  await using resources = new Resources();
  const disk = await makeDiskFixture(resources, { grubCore: null });
  const [, , root] = disk.partitions;
  const outside = resources.tempDir();
  const reference = `UUID=${root?.fsUuid}\n`;
  writeTree(outside, {
    fstab: reference,
    'grub/grub.cfg': reference,
    'initrd.img': reference,
    'entries/a.conf': reference,
  });
  const before = snapshot(outside);
  writeTree(disk.root, {
    etc: { link: outside },
    boot: { link: `../../../../../../../..${outside}` },
    [`${outside.slice(1)}/crypttab`]: reference,
  });
  const target = { root: disk.root, espDevice: null, plan: planFor(disk) };
  assert.deepEqual((await rewriteIdentifiers(target, quietContext)).changed, ['/etc/crypttab']);
  const places = { partitions: disk.partitions, diskGuid: disk.diskGuid, root: disk.root };
  assert.deepEqual((await findEmbeddedIdentifiers(places, quietContext)).found, []);
  assert.deepEqual(snapshot(outside), before);
});

async function putOnEsp(
  resources: Resources,
  disk: DiskFixture,
  path: string,
  data: string | Uint8Array,
): Promise<void> {
  const file = join(resources.tempDir(), 'file');
  writeFileSync(file, data);
  await runCommand('mcopy', ['-o', '-i', disk.espDevice, file, `::${path}`]);
}
