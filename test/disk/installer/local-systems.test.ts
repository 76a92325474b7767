import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { DiskFacts } from '../../../agent/disk/types.ts';
import { readDisk } from '../../../agent/hardware/read-disk.ts';
import { makeKeyPair } from '../../../agent/identity/make-identity.ts';
import type { MachineIdentity } from '../../../agent/identity/read-identity.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { findLocalSystems } from '../../../installer/identity/find-local-systems.ts';
import { MachineKey } from '../../../installer/identity/machine-key.ts';
import type { InstallerEvent } from '../../../installer/state/installer-events.ts';
import { Resources } from '../../resources.ts';

const mib = 1024 * 1024;
const { signal } = new AbortController();

function newIdentity(): MachineIdentity {
  return { machine_uuid: randomUUID(), ...makeKeyPair() };
}

function recordOf(installedAt: string): object {
  const disk = { serial: null, wwn: null };
  return { provision_uuid: randomUUID(), image: 'os:1', image_digest: 'sha256:1', installed_at: installedAt, disk };
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function put(root: string, folder: string, files: Readonly<Record<string, unknown>>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  }
}

interface MadeDisk {
  readonly file: string;
  readonly facts: DiskFacts;
}

/** A file system on a loop device, filled while it is mounted. */
async function makeDisk(
  resources: Resources,
  mkfs: readonly [string, ...string[]],
  fill: (root: string) => Promise<void> | void,
): Promise<MadeDisk> {
  const file = resources.sparseFile(320 * mib);
  const [program, ...args] = mkfs;
  await runCommand(program, [...args, file]);
  await mounted(file, fill);
  return { file, facts: await readDisk(await resources.loop(file)) };
}

async function mounted(file: string, fill: (root: string) => Promise<void> | void): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'durantic-fill-'));
  await runCommand('mount', ['-o', 'loop', file, root]);
  try {
    await fill(root);
  } finally {
    await runCommand('umount', [root]);
    rmSync(root, { recursive: true });
  }
}

const ext4 = ['mkfs.ext4', '-q'] as const;
const xfs = ['mkfs.xfs', '-q'] as const;
const btrfs = ['mkfs.btrfs', '-q'] as const;
const stateDir = 'var/lib/durantic';

for (const [name, mkfs] of Object.entries({ ext4, xfs, btrfs })) {
  test(`the identity of a system on ${name} is found, and not one byte of the disk is changed`, async () => {
    await using resources = new Resources();
    const identity = newIdentity();
    const record = recordOf('2026-11-01T10:00:00.000Z');
    const disk = await makeDisk(resources, mkfs, (root) =>
      put(root, stateDir, { 'identity.json': identity, 'provision.json': record }),
    );
    const before = await digestOf(disk.file);
    const { systems, passedOver } = await findLocalSystems({ disks: [disk.facts], signal });
    assert.deepEqual(passedOver, []);
    assert.deepEqual(
      systems.map(({ device, identity, record }) => ({ device, identity, record })),
      [{ device: disk.facts.path, identity, record }],
    );
    assert.equal(await digestOf(disk.file), before);
    assert.equal((await readDisk(disk.facts.path)).users.length, 0, 'it is mounted no more, nor attached');
  });
}

/** What a power cut leaves of an ext4: a copy of the device in the middle of a mount, its journal holds what is to be done. */
async function cutPower(resources: Resources, { file: made }: MadeDisk): Promise<string> {
  const file = join(resources.tempDir(), 'cut.raw');
  await mounted(made, async (root) => {
    for (let index = 0; index < 50; index += 1) put(root, `home/${index}`, { file: 'x'.repeat(5000) });
    await runCommand('sync', ['-f', root]);
    await runCommand('cp', ['--sparse=always', made, file]);
  });
  const { stdout } = await runCommand('dumpe2fs', ['-h', file]);
  assert.match(stdout, /needs_recovery/, 'the journal is dirty');
  return file;
}

test('a journal that was never replayed stays so: nothing is written to an ext4 whose power was cut', async () => {
  await using resources = new Resources();
  const identity = newIdentity();
  const made = await makeDisk(resources, ext4, (root) => put(root, stateDir, { 'identity.json': identity }));
  const file = await cutPower(resources, made);
  const facts = await readDisk(await resources.loop(file));
  const before = await digestOf(file);
  const { systems } = await findLocalSystems({ disks: [facts], signal });
  assert.deepEqual(systems[0]?.identity, identity);
  assert.equal(await digestOf(file), before);
});

for (const sectorBytes of [512, 4096] as const) {
  test(`files that were deleted while they were open stay on an ext4 whose power was cut (${sectorBytes}-byte sectors)`, async () => {
    await using resources = new Resources();
    const identity = newIdentity();
    const made = await makeDisk(resources, [...ext4, '-b', '4096'], (root) => {
      put(root, stateDir, { 'identity.json': identity });
      put(root, 'tmp', { orphan: 'x'.repeat(50_000) });
    });
    const file = await cutPower(resources, made);
    const { stdout } = await runCommand('debugfs', ['-R', 'stat /tmp/orphan', file]);
    const inode = /^Inode: (\d+)/.exec(stdout)?.[1] ?? '';
    // As the kernel leaves them: on the list of orphans, and no link leads to them. A mount deletes such a file.
    const commands = [`set_inode_field <${inode}> links_count 0`, `set_super_value last_orphan ${inode}`];
    for (const command of commands) await runCommand('debugfs', ['-w', '-R', command, file]);
    const { stdout: header } = await runCommand('dumpe2fs', ['-h', file]);
    assert.match(header, new RegExp(`^First orphan inode: +${inode}$`, 'm'));
    const facts = await readDisk(await resources.loop(file, { sectorBytes }));
    const before = await digestOf(file);
    const { systems, passedOver } = await findLocalSystems({ disks: [facts], signal });
    assert.deepEqual(passedOver, []);
    assert.deepEqual(systems[0]?.identity, identity);
    assert.equal(await digestOf(file), before);
  });
}

test('a root that is a subvolume of btrfs, with another default one, is looked into', async () => {
  await using resources = new Resources();
  const identity = newIdentity();
  const disk = await makeDisk(resources, btrfs, async (root) => {
    await runCommand('btrfs', ['subvolume', 'create', join(root, '@rootfs')]);
    await runCommand('btrfs', ['subvolume', 'create', join(root, 'other')]);
    put(root, `@rootfs/${stateDir}`, { 'identity.json': identity });
    await runCommand('btrfs', ['subvolume', 'set-default', join(root, 'other')]);
  });
  const { systems } = await findLocalSystems({ disks: [disk.facts], signal });
  assert.deepEqual(systems[0]?.identity, identity);
});

test('of two systems the one that was installed last is this machine, and the screen names both; the rest is passed over by name', async () => {
  await using resources = new Resources();
  const [older, newer] = [newIdentity(), newIdentity()];
  const disks = [
    await makeDisk(resources, ext4, (root) =>
      put(root, stateDir, { 'identity.json': older, 'provision.json': recordOf('2025-01-01T00:00:00.000Z') }),
    ),
    await makeDisk(resources, xfs, (root) =>
      put(root, stateDir, { 'identity.json': newer, 'provision.json': recordOf('2026-06-01T00:00:00.000Z') }),
    ),
    await makeDisk(resources, ext4, (root) =>
      put(root, stateDir, { 'identity.json': '{"machine_uuid": "secret text' }),
    ),
    await makeDisk(resources, ext4, (root) => {
      put(root, 'etc', { 'identity.json': newIdentity() });
      mkdirSync(join(root, stateDir), { recursive: true });
      // A link out of the file system leads to a file of the installer's.
      symlinkSync(join(resources.tempDir(), 'identity.json'), join(root, stateDir, 'identity.json'));
    }),
    // A superblock and nothing behind it.
    await (async () => {
      const file = resources.sparseFile(320 * mib);
      await runCommand('mkfs.xfs', ['-q', file]);
      await runCommand('dd', ['if=/dev/urandom', `of=${file}`, 'bs=512', 'seek=1', 'count=64', 'conv=notrunc']);
      return { file, facts: await readDisk(await resources.loop(file)) };
    })(),
  ] as const;
  const events: InstallerEvent[] = [];
  const dir = resources.tempDir();
  const key = await MachineKey.open({
    stateDir: dir,
    carried: null,
    search: async () => await findLocalSystems({ disks: disks.map(({ facts }) => facts), signal }),
    emit: (event) => void events.push(event),
  });
  assert.deepEqual(key.identity, newer);
  assert.equal(statSync(join(dir, 'identity.json')).mode & 0o777, 0o600);
  const found = events.find((event) => event.kind === 'identity');
  assert.equal(found?.origin, 'found');
  assert.match(found?.detail ?? '', new RegExp(`on ${disks[1].facts.path} .*not used: .*${disks[0].facts.path} `));
  const notices = events.flatMap((event) => (event.kind === 'notice' ? [event.text] : []));
  assert.ok(notices.some((text) => text.includes(disks[2].facts.path) && text.includes('damaged or not ours')));
  assert.ok(notices.some((text) => text.includes(disks[4].facts.path) && text.includes('cannot be looked into')));
  assert.equal(notices.length, 2);
  assert.ok(!JSON.stringify(events).includes('secret text'));
});

test('partitions are looked into, and a disk that does not answer stops nothing', async () => {
  await using resources = new Resources();
  const identity = newIdentity();
  const file = resources.sparseFile(400 * mib);
  await runCommand('sgdisk', ['-n', '1:2048:+1M', '-n', '2:0:0', file]);
  const device = await resources.loop(file);
  await runCommand('partx', ['-a', device]);
  await runCommand('mkfs.ext4', ['-q', `${device}p2`]);
  const root = await resources.mount(`${device}p2`);
  put(root, stateDir, { 'identity.json': identity });
  await runCommand('umount', [root]);
  const facts = await readDisk(device);
  const dying = { ...facts, path: '/dev/dying', partitions: [] };
  const { lookIntoFilesystem } = await import('../../../installer/identity/look-into-filesystem.ts');
  const started = performance.now();
  const { systems, passedOver } = await findLocalSystems({
    disks: [dying, facts],
    signal,
    diskTimeoutMs: 1500,
    look: async (place) =>
      place.device === '/dev/dying' ? await new Promise(() => undefined) : await lookIntoFilesystem(place),
  });
  assert.ok(performance.now() - started < 10_000);
  assert.deepEqual(
    systems.map(({ device, partition, identity }) => ({ device, partition, identity })),
    [{ device: `${device}p2`, partition: 2, identity }],
  );
  assert.deepEqual(passedOver, ['/dev/dying did not answer within 2 s']);
});
