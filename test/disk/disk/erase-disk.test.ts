import assert from 'node:assert/strict';
import { open, truncate } from 'node:fs/promises';
import { test } from 'node:test';
import { eraseDisk } from '../../../agent/disk/erase-disk.ts';
import { rangeEnd } from '../../../agent/disk/geometry.ts';
import { openTarget } from '../../../agent/disk/open-target.ts';
import { readDisk } from '../../../agent/hardware/read-disk.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { Resources } from '../../resources.ts';
import { ctx, installLayerZero } from './install-layer-zero.ts';
import { makeLayerZero } from './layer-zero.ts';

const mib = 1024 ** 2;
const diskMib = 400;

/** What wipefs sees on a device, as type names. */
async function wipefs(device: string): Promise<string[]> {
  const { stdout } = await runCommand('wipefs', ['--no-act', '--parsable', device]);
  return stdout
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(',').at(-1) ?? '');
}

/** What wipefs would see on a partition there; in sectors of 512 bytes. */
async function wipefsRegion(device: string, start: number, sectors: number): Promise<string[]> {
  await runCommand('addpart', [device, '1', `${start}`, `${sectors}`]);
  try {
    return await wipefs(`${device}p1`);
  } finally {
    await runCommand('delpart', [device, '1']);
  }
}

/** As a disk that takes no discards: what is gone from it was overwritten, and not forgotten by a file with holes. */
const plain = { ...ctx, abilities: { canDiscard: false, makesZeros: false } };

async function writeAt(path: string, offsetBytes: number, bytes: Buffer): Promise<void> {
  await using handle = await open(path, 'r+');
  await handle.write(bytes, 0, bytes.length, offsetBytes);
}

const partitions = [
  { name: 'LVM and an md 1.0 at its end', startMib: 1, sizeMib: 40 },
  { name: 'ZFS', startMib: 41, sizeMib: 70 },
  { name: 'md 1.2', startMib: 111, sizeMib: 40 },
  { name: 'btrfs with a mirror', startMib: 151, sizeMib: 120 },
  { name: 'LUKS2', startMib: 271, sizeMib: 20 },
  { name: 'ext4 with an md 0.90 at its end', startMib: 291, sizeMib: 40 },
  { name: 'xfs', startMib: 331, sizeMib: 60 },
] as const;

/** ZFS: the uberblock's magic in the labels at both ends (this machine has no zpool). */
async function writeZfs(path: string, startBytes: number, sizeBytes: number): Promise<void> {
  const magic = Buffer.from('0cb1ba0000000000', 'hex');
  const label = 256 * 1024;
  for (const at of [0, label, sizeBytes - 2 * label, sizeBytes - label]) {
    for (let index = 0; index < 8; index += 1) await writeAt(path, startBytes + at + 128 * 1024 + index * 1024, magic);
  }
}

/** LVM2: the label of a physical volume, as pvcreate writes it into the second sector (its tools need device-mapper). */
function lvmLabel(): Buffer {
  const sector = Buffer.alloc(512);
  sector.write('LABELONE', 0, 'latin1');
  sector.writeBigUInt64LE(1n, 8);
  sector.writeUInt32LE(32, 20);
  sector.write('LVM2 001', 24, 'latin1');
  sector.write('abcdefghijklmnopqrstuvwxyz012345', 32, 'latin1');
  return sector;
}

function mdMagic(): Buffer {
  return Buffer.from('fc4e2ba9', 'hex');
}

/** A disk full of everything that could come back: real tools where they run without kernel support. */
async function fillWithOldData(device: string): Promise<void> {
  const numbers = partitions.flatMap(({ startMib, sizeMib }, index) => [
    '-n',
    `${index + 1}:${startMib}M:+${sizeMib}M`,
  ]);
  await runCommand('sgdisk', ['-a', '1', ...numbers, device]);
  const at = (index: number): { start: number; size: number } => ({
    start: (partitions[index]?.startMib ?? 0) * mib,
    size: (partitions[index]?.sizeMib ?? 0) * mib,
  });
  const offset = (index: number): string[] => ['-E', `offset=${at(index).start}`];
  await writeAt(device, at(0).start + 512, lvmLabel());
  await writeAt(device, at(0).start + (at(0).size / 512 - 16) * 512, mdMagic());
  await writeZfs(device, at(1).start, at(1).size);
  await writeAt(device, at(2).start + 4096, mdMagic());
  await using tool = new Resources();
  const btrfs = tool.sparseFile(at(3).size);
  await runCommand('mkfs.btrfs', ['-q', '-L', 'old', btrfs]);
  await runCommand('dd', [`if=${btrfs}`, `of=${device}`, 'bs=1M', `seek=${at(3).start / mib}`, 'conv=notrunc']);
  await writeAt(device, at(4).start, Buffer.concat([Buffer.from('LUKS\xba\xbe', 'latin1'), Buffer.from([0, 2])]));
  await writeAt(
    device,
    at(4).start + 4 * mib,
    Buffer.concat([Buffer.from('SKUL\xba\xbe', 'latin1'), Buffer.from([0, 2])]),
  );
  await runCommand('mkfs.ext4', ['-q', '-F', ...offset(5), device, `${at(5).size / 1024}k`]);
  await writeAt(device, at(5).start + at(5).size - 65536, mdMagic());
  const xfs = tool.sparseFile(320 * mib);
  await runCommand('mkfs.xfs', ['-q', xfs]);
  await truncate(xfs, at(6).size);
  await runCommand('dd', [`if=${xfs}`, `of=${device}`, 'bs=1M', `seek=${at(6).start / mib}`, 'conv=notrunc']);
  // Of the whole disk, before its last 33 sectors, which are the backup table.
  await writeAt(device, diskMib * mib - 65536, mdMagic());
}

test('F32 a disk full of stale LVM, md, ZFS, LUKS, filesystems and a GPT: nothing is visible after, by any path', async () => {
  await using resources = new Resources();
  const device = await resources.loop(resources.sparseFile(diskMib * mib));
  await fillWithOldData(device);
  assert.ok((await wipefs(device)).includes('gpt'));
  // Something that no list of signatures has, in the first and in the last MiB of an old partition.
  const unknown = [mib + 900_000, 41 * mib - 900_000];
  for (const offset of unknown) await writeAt(device, offset, Buffer.from('a format of the year 2040'));
  const report = await (async () => {
    await using target = await openTarget(device, ctx);
    const erased = await eraseDisk(target, await readDisk(device), plain);
    for (const offset of unknown) assert.ok((await target.read(offset, 25)).equals(Buffer.alloc(25)), `${offset}`);
    return erased;
  })();
  assert.deepEqual(report.discarded, []);
  assert.match(report.said.join(), /does not take discards/);
  assert.deepEqual(await wipefs(device), []);
  const names = report.removed.map(({ name, where }) => `${name}: ${where.replace(/ \(.*/, '')}`);
  for (const expected of [
    'gpt: whole disk',
    'gpt backup: whole disk',
    'linux_raid_member 0.90: whole disk',
    'LVM2_member: old partition 1',
    'linux_raid_member 1.0: old partition 1',
    'zfs_member: old partition 2',
    'linux_raid_member 1.2: old partition 3',
    'btrfs: old partition 4',
    'btrfs mirror: old partition 4',
    'crypto_LUKS: old partition 5',
    'crypto_LUKS backup: old partition 5',
    'ext: old partition 6',
    'linux_raid_member 0.90: old partition 6',
    'xfs: old partition 7',
  ]) {
    assert.ok(names.includes(expected), `${expected} is not in ${names.join(', ')}`);
  }
  assert.equal(names.filter((name) => name.startsWith('zfs_member: old')).length, 4);
  const lvm = report.removed.find(({ name }) => name === 'LVM2_member');
  assert.equal(lvm?.offsetBytes, mib + 512);
  // The same partitions once more, as an installation with the same layout makes them.
  for (const { startMib, sizeMib, name } of partitions) {
    assert.deepEqual(await wipefsRegion(device, startMib * 2048, sizeMib * 2048), [], name);
  }
});

for (const sectorBytes of [512, 4096] as const) {
  test(`F32 after an installation on such a disk only our own signatures are visible, sectors of ${sectorBytes} bytes`, async () => {
    await using resources = new Resources();
    const device = await resources.loop(resources.sparseFile(diskMib * mib), { sectorBytes });
    await fillWithOldData(device);
    const image = await makeLayerZero(resources, { sectorBytes });
    await using target = await openTarget(device, ctx);
    const { partitions: paths, root } = await installLayerZero(target, image, plain.abilities);
    assert.deepEqual(await wipefs(paths.get(1) ?? ''), []);
    assert.deepEqual(await wipefs(paths.get(2) ?? ''), []);
    assert.deepEqual(await wipefs(paths.get(3) ?? ''), ['ext4']);
    assert.equal(root.label, 'root');
    assert.deepEqual([...new Set(await wipefs(device))].sort(), ['PMBR', 'gpt']);
    // mdadm goes by superblocks anywhere it looks: 0.90 and 1.0 at the ends.
    for (const path of [device, ...paths.values()]) {
      const examined = await runCommand('mdadm', ['--examine', path], { okExitCodes: [0, 1] });
      assert.doesNotMatch(examined.stdout, /Raid Level|Array UUID/, path);
    }
  });
}

test('F32 old partitions of a DOS table with logical ones, which the kernel may not know', async () => {
  await using resources = new Resources();
  const device = await resources.loop(resources.sparseFile(64 * mib));
  const layout =
    'label: dos\nstart=2048,size=16384,type=83\nstart=32768,size=65536,type=5\nstart=34816,size=16384,type=8e\nstart=55296,size=16384,type=83\n';
  await runCommand('sfdisk', ['--no-reread', '--no-tell-kernel', '-q', device], { input: layout });
  const starts = [2048, 34816, 55296].map((sector) => sector * 512);
  for (const start of starts) await writeAt(device, start + 512, lvmLabel());
  // Firmware RAID keeps its metadata in the last sectors of the disk.
  await writeAt(device, 64 * mib - 1024, Buffer.from('Intel Raid ISM Cfg Sig. 1.0', 'latin1'));
  await writeAt(device, 64 * mib - 512, Buffer.from('de11de11', 'hex'));
  await using target = await openTarget(device, ctx);
  const report = await eraseDisk(target, await readDisk(device), plain);
  const found = report.removed.filter(({ name }) => name === 'LVM2_member').map(({ offsetBytes }) => offsetBytes - 512);
  assert.deepEqual(found, starts);
  const whole = report.removed.filter(({ where }) => where === 'whole disk').map(({ name }) => name);
  assert.deepEqual(whole, ['dos', 'ddf_raid_member', 'isw_raid_member']);
  assert.deepEqual(await wipefs(device), []);
  for (const start of starts) assert.deepEqual(await wipefsRegion(device, start / 512, 16384), []);
});

test('what the report says was done is what was done', async () => {
  await using resources = new Resources();
  const file = resources.sparseFile(64 * mib);
  await runCommand('dd', ['if=/dev/urandom', `of=${file}`, 'bs=1M', 'count=64', 'conv=notrunc', 'status=none']);
  const device = await resources.loop(file);
  await runCommand('sgdisk', ['-n', '1:2048:+8M', device]);
  await runCommand('addpart', [device, '1', '2048', '16384']);
  await using target = await openTarget(device, ctx);
  const report = await eraseDisk(target, await readDisk(device), { ...ctx, imageBytes: 10 * mib });
  for (const range of [...report.overwritten, ...report.zeroed]) {
    const bytes = await target.read(range.offsetBytes, range.lengthBytes);
    assert.ok(bytes.equals(Buffer.alloc(range.lengthBytes)), JSON.stringify(range));
  }
  assert.deepEqual(report.forgottenPartitions, [1]);
  assert.equal((await readDisk(device)).partitions.length, 0);
  assert.deepEqual(report.zeroed, [{ offsetBytes: 0, lengthBytes: 10 * mib }]);
  // A hole-punched file reads as zeros; the edges are never discarded.
  assert.deepEqual(report.discarded, [{ offsetBytes: mib, lengthBytes: 62 * mib }]);
  assert.ok(report.overwritten.some((range) => range.offsetBytes === 0 && rangeEnd(range) >= 4 * mib));
  assert.match(
    report.said.join('\n'),
    /overwrote \d+ bytes.*\n.*gpt, gpt backup.*\n.*no longer knows partitions 1\n.*discard 65011712 bytes/,
  );
});
