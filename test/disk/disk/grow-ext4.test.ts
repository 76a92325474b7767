import assert from 'node:assert/strict';
import {
  chmod,
  chown,
  link,
  mkdir,
  open,
  readFile,
  readlink,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { growRoot } from '../../../agent/disk/grow-ext4.ts';
import { mountFolder } from '../../../agent/disk/mounted-folder.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { Resources } from '../../resources.ts';
import { ctx } from './install-layer-zero.ts';

const mib = 1024 ** 2;
const gib = 1024 ** 3;

/** An ext filesystem of one size on a device of another. */
async function filesystem(
  resources: Resources,
  sizes: { from: number; to: number },
  mkfs: readonly string[] = [],
): Promise<string> {
  const file = resources.sparseFile(sizes.from);
  await runCommand('mkfs.ext4', ['-q', '-L', 'root', ...mkfs, file]);
  await truncate(file, sizes.to);
  return await resources.loop(file);
}

async function listing(folder: string): Promise<string> {
  const format = '%P %y %m %U:%G %T@ %n %l\\n';
  const found = (await runCommand('find', [folder, '-mindepth', '0', '-not', '-name', 'lost+found', '-printf', format]))
    .stdout;
  const attributes = (
    await runCommand('getfattr', ['-R', '-P', '-h', '-d', '-m', '-', '--absolute-names', '.'], { cwd: folder })
  ).stdout;
  // A directory's link count and times change with lost+found in it; the root's own time is compared with the rest.
  // Both list in the order of the directory's hashes, which have a seed of their own in each filesystem.
  return [...found.split('\n').sort(), ...attributes.split('\n\n').sort()].join('\n');
}

async function populate(folder: string): Promise<void> {
  await mkdir(join(folder, 'boot/grub'), { recursive: true });
  await writeFile(join(folder, 'boot/grub/grub.cfg'), 'set root');
  await link(join(folder, 'boot/grub/grub.cfg'), join(folder, 'boot/hardlink'));
  await symlink('../etc/nowhere', join(folder, 'link'));
  await writeFile(join(folder, 'tool'), 'x'.repeat(100_000));
  // Truncating, like changing the owner, takes capabilities away: they come last.
  await truncate(join(folder, 'tool'), 3 * mib);
  await chown(join(folder, 'tool'), 1234, 5678);
  await chmod(join(folder, 'tool'), 0o6755);
  await runCommand('setfattr', ['-n', 'user.note', '-v', 'kept', join(folder, 'tool')]);
  await runCommand('setfattr', [
    '-n',
    'security.capability',
    '-v',
    '0x0100000200040000000000000000000000000000',
    join(folder, 'tool'),
  ]);
  await runCommand('setfacl', ['-m', 'u:1000:r', join(folder, 'boot/grub/grub.cfg')]);
  await utimes(join(folder, 'tool'), 1_600_000_000.123, 1_500_000_000.987);
  await utimes(join(folder, 'boot'), 1_400_000_000, 1_400_000_000.5);
  await chmod(folder, 0o751);
}

test('a small root with 1 KiB blocks is made anew at full size, with label, features, owners, times, ACLs and attributes', async () => {
  await using resources = new Resources();
  const device = await filesystem(resources, { from: 24 * mib, to: 3 * gib }, [
    '-b',
    '1024',
    '-O',
    '^metadata_csum',
    '-m',
    '2',
  ]);
  const before = await (async () => {
    await using inner = new Resources();
    const folder = await inner.mount(device);
    await populate(folder);
    const listed = (await listing(folder)).replaceAll(folder, '');
    assert.match(listed, /system\.posix_acl_access=[\s\S]*security\.capability=/);
    return listed;
  })();
  const root = await growRoot({ device, sizeBytes: 3 * gib, canGrow: true }, ctx);
  assert.equal(root.how, 'remade');
  assert.match(root.said, /made anew at full size.*blocks have 1024 bytes and its journal has \d+ MiB/);
  assert.deepEqual([root.type, root.label, root.blockBytes, root.sizeBytes], ['ext4', 'root', 4096, 3 * gib]);
  assert.equal(root.journalBytes, 64 * mib);
  assert.notEqual(root.uuid, root.oldUuid);
  await runCommand('e2fsck', ['-fn', device]);
  const { stdout } = await runCommand('dumpe2fs', ['-h', device]);
  assert.doesNotMatch(stdout, /metadata_csum/);
  assert.match(stdout, new RegExp(`Reserved block count:\\s+${Math.floor((3 * gib) / 4096 / 50)}\\b`));
  const folder = await resources.mount(device, { options: 'ro' });
  assert.equal((await listing(folder)).replaceAll(folder, ''), before);
  assert.equal(await readlink(join(folder, 'link')), '../etc/nowhere');
  // The hole behind the file's data stayed one.
  assert.ok((await stat(join(folder, 'tool'))).blocks * 512 < mib);
});

test('a root that holds more than 64 MiB is grown, and a warning says what is poor about it', async () => {
  await using resources = new Resources();
  const device = await filesystem(resources, { from: 128 * mib, to: 3 * gib }, ['-b', '4096', '-J', 'size=4']);
  {
    await using inner = new Resources();
    const folder = await inner.mount(device);
    await writeFile(join(folder, 'large'), Buffer.alloc(66 * mib, 'data'));
  }
  const root = await growRoot({ device, sizeBytes: 3 * gib, canGrow: true }, ctx);
  assert.deepEqual([root.how, root.sizeBytes, root.journalBytes], ['grown', 3 * gib, 4 * mib]);
  assert.match(root.warnings.join(), /holds too much to be made anew.*journal has 4 MiB/);
  const folder = await resources.mount(device, { options: 'ro' });
  assert.equal((await stat(join(folder, 'large'))).size, 66 * mib);
});

for (const features of ['metadata_csum', 'metadata_csum,metadata_csum_seed', '^metadata_csum']) {
  test(`the UUID is new and the filesystem clean with ${features}, grown or not`, async () => {
    await using resources = new Resources();
    for (const canGrow of [true, false]) {
      const device = await filesystem(resources, { from: 32 * mib, to: 64 * mib }, ['-b', '4096', '-O', features]);
      const root = await growRoot({ device, sizeBytes: 64 * mib, canGrow }, ctx);
      assert.equal(root.how, canGrow ? 'grown' : 'unchanged');
      assert.equal(root.sizeBytes, canGrow ? 64 * mib : 32 * mib);
      assert.notEqual(root.uuid, root.oldUuid);
      assert.equal((await runCommand('blkid', ['-p', '-o', 'value', '-s', 'UUID', device])).stdout.trim(), root.uuid);
      await runCommand('e2fsck', ['-fn', device]);
    }
  });
}

async function damage(device: string, request: string): Promise<void> {
  await runCommand('debugfs', ['-w', '-R', request, device]);
}

test('F44 a root that was not unmounted: the journal is replayed, nothing is lost, it is grown', async () => {
  await using resources = new Resources();
  const device = await filesystem(resources, { from: 64 * mib, to: 128 * mib });
  // A copy of a mounted filesystem, taken after a sync into its journal, is one that lost its power.
  const copy = resources.sparseFile(128 * mib, 'copy.raw');
  {
    await using inner = new Resources();
    const folder = await inner.mount(device);
    await writeFile(join(folder, 'written'), 'before the power went');
    await runCommand('sync', ['-f', folder]);
    await runCommand('dd', [`if=${device}`, `of=${copy}`, 'bs=1M', 'count=64', 'conv=notrunc', 'status=none']);
  }
  const second = await resources.loop(copy);
  assert.match((await runCommand('dumpe2fs', ['-h', second])).stdout, /needs_recovery/);
  const root = await growRoot({ device: second, sizeBytes: 128 * mib, canGrow: true }, ctx);
  assert.deepEqual([root.how, root.sizeBytes], ['grown', 128 * mib]);
  await runCommand('e2fsck', ['-fn', second]);
  const folder = await resources.mount(second, { options: 'ro' });
  assert.equal((await stat(join(folder, 'written'))).size, 21);
});

test('F44 small damage is mended with a warning and the root is grown', async () => {
  await using resources = new Resources();
  const device = await filesystem(resources, { from: 32 * mib, to: 64 * mib }, ['-b', '4096']);
  await damage(device, 'ssv free_blocks_count 17');
  await damage(device, 'ssv state 0');
  const root = await growRoot({ device, sizeBytes: 64 * mib, canGrow: true }, ctx);
  assert.equal(root.how, 'grown');
  await runCommand('e2fsck', ['-fn', device]);
  assert.ok(root.warnings.length <= 1);
});

test('F44 damage that -fp gives up on is mended by -fy, with a warning that files may be missing', async () => {
  await using resources = new Resources();
  const device = await filesystem(resources, { from: 32 * mib, to: 64 * mib }, ['-b', '4096']);
  {
    await using inner = new Resources();
    const folder = await inner.mount(device);
    await mkdir(join(folder, 'etc'));
    await writeFile(join(folder, 'etc/kept'), 'kept');
  }
  // An inode of a directory that is none: e2fsck -p stops with "UNEXPECTED INCONSISTENCY".
  await damage(device, 'sif /etc/kept mode 0040755');
  const root = await growRoot({ device, sizeBytes: 64 * mib, canGrow: true }, ctx);
  assert.match(root.warnings.join(), /not in order: damage was mended by e2fsck -fy; files may be missing/);
  assert.equal(root.how, 'grown');
  await runCommand('e2fsck', ['-fn', device]);
});

test('F44 a root that cannot be mended is an error', async () => {
  await using resources = new Resources();
  const device = await filesystem(resources, { from: 32 * mib, to: 64 * mib }, ['-b', '4096']);
  await using handle = await open(device, 'r+');
  // The superblock keeps its magic, and nothing else in it or behind it makes sense.
  await handle.write(Buffer.alloc(56, 0xff), 0, 56, 1024);
  await handle.write(Buffer.alloc(32 * mib - 4096, 0xa5), 0, 32 * mib - 4096, 4096);
  await handle.sync();
  await assert.rejects(growRoot({ device, sizeBytes: 64 * mib, canGrow: true }, ctx), {
    code: 'filesystem_unfixable',
    kind: 'integrity',
  });
});

test('roots on other filesystems are refused by name', async () => {
  await using resources = new Resources();
  const makers = {
    xfs: ['mkfs.xfs', '-q'],
    btrfs: ['mkfs.btrfs', '-q'],
    swap: ['mkswap'],
    vfat: ['mkfs.vfat'],
  } as const;
  for (const [name, [program, ...args]] of Object.entries(makers)) {
    const file = resources.sparseFile(320 * mib);
    await runCommand(program ?? '', [...args, file]);
    await assert.rejects(growRoot({ device: file, sizeBytes: 320 * mib, canGrow: true }, ctx), {
      code: 'root_filesystem_unsupported',
      message: new RegExp(`is ${name};`),
    });
  }
});

test('F49 what an image holds is no program, device or setuid file of this machine while it is mounted to be looked at', async () => {
  await using resources = new Resources();
  const device = await filesystem(resources, { from: 32 * mib, to: 32 * mib });
  for (const mode of ['ro', 'rw']) {
    await using mounted = await mountFolder(device, mode, ctx);
    // Fields of proc_pid_mountinfo(5): the mount point is the fifth, its options are the sixth.
    const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' '));
    const options = lines.find((fields) => fields[4] === mounted.path)?.[5]?.split(',') ?? [];
    for (const option of [mode, 'nosuid', 'nodev', 'noexec'])
      assert.ok(options.includes(option), `${mode}: ${options}`);
  }
});
