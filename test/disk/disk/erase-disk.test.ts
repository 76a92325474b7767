import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eraseDisk } from '../../../agent/disk/erase-disk.ts';
import { rangeEnd } from '../../../agent/disk/geometry.ts';
import { openTarget } from '../../../agent/disk/open-target.ts';
import { readDisk } from '../../../agent/hardware/read-disk.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { Resources } from '../../resources.ts';
import { ctx, installLayerZero } from './install-layer-zero.ts';
import { makeLayerZero } from './layer-zero.ts';
import { fillWithOldData, lvmLabel, oldDiskMib, oldPartitions, writeAt } from './old-data.ts';

const mib = 1024 ** 2;

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

test('F32 a disk full of stale LVM, md, ZFS, LUKS, filesystems and a GPT: nothing is visible after, by any path', async () => {
  await using resources = new Resources();
  const device = await resources.loop(resources.sparseFile(oldDiskMib * mib));
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
  for (const { startMib, sizeMib, name } of oldPartitions) {
    assert.deepEqual(await wipefsRegion(device, startMib * 2048, sizeMib * 2048), [], name);
  }
});

for (const sectorBytes of [512, 4096] as const) {
  test(`F32 after an installation on such a disk only our own signatures are visible, sectors of ${sectorBytes} bytes`, async () => {
    await using resources = new Resources();
    const device = await resources.loop(resources.sparseFile(oldDiskMib * mib), { sectorBytes });
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
