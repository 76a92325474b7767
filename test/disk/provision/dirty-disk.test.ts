import assert from 'node:assert/strict';
import { createWriteStream, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after, before, test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { makeBootDisk, writeBootImage } from '../../builders/boot-image.ts';
import {
  checkInstalledDisk,
  type InstalledDisk,
  openInstalledDisk,
  signaturesOn,
} from '../../builders/installed-disk.ts';
import { provisionOk } from '../../builders/provision.ts';
import { Resources } from '../../resources.ts';
import { fillWithOldData, oldPartitions } from '../disk/old-data.ts';

const mib = 1024 ** 2;
const diskBytes = 600 * mib;
const resources = new Resources();
after(() => resources[Symbol.asyncDispose]());

let bootDisk = '';
let image = '';
before(async () => {
  bootDisk = await makeBootDisk(resources);
  image = (await writeBootImage(resources, { disk: bootDisk })).reference;
});

/** ramfs has no fallocate(2), so that a loop device on it takes neither discards nor orders for zeros. */
async function fileOnRamfs(sizeBytes: number): Promise<string> {
  const file = join(await resources.mount('none', { type: 'ramfs' }), 'disk.raw');
  writeFileSync(file, '');
  truncateSync(file, sizeBytes);
  return file;
}

test('F32 whole installation on a disk of stale LVM, md, ZFS, LUKS, btrfs, xfs and a GPT: only our own signatures are visible', async () => {
  const sizeMib = 700;
  // The old partitions lie where the new root will: from before its start to behind the end of layer 0.
  const shiftMib = 250;
  // A discard would take everything away by itself.
  const file = await fileOnRamfs(sizeMib * mib);
  const device = await resources.loop(file);
  await fillWithOldData(device, { diskMib: sizeMib, shiftMib });
  assert.ok((await signaturesOn(device)).includes('gpt'));
  const { events } = await provisionOk({ image, disk: device });
  const removed = events.find(({ step, state }) => step === 'bootloader_streaming' && state === 'succeeded')?.facts;
  assert.ok(Number(removed?.['removed_signatures']) >= 14, JSON.stringify(removed));

  const disk = await openInstalledDisk(resources, file);
  await checkInstalledDisk(disk);
  assert.deepEqual(await signaturesOn(disk.device), ['PMBR', 'gpt']);
  assert.deepEqual(await signaturesOn(disk.partition('bios-boot').device), []);
  assert.deepEqual(await signaturesOn(disk.partition('esp').device), ['vfat']);
  assert.deepEqual(await signaturesOn(disk.partition('root').device), ['ext4']);
  for (const path of [disk.device, ...disk.partitions.map((partition) => partition.device)]) {
    const examined = await runCommand('mdadm', ['--examine', path], { okExitCodes: [0, 1] });
    assert.doesNotMatch(examined.stdout, /Raid Level|Array UUID/, path);
  }
  await assertNothingAtOldPlaces(file, shiftMib);
});

/** Whoever partitions the disk as it once was finds none of the old filesystems. */
async function assertNothingAtOldPlaces(file: string, shiftMib: number): Promise<void> {
  for (const { name, startMib, sizeMib } of oldPartitions) {
    const place = ['--offset', String((startMib + shiftMib) * mib), '--sizelimit', String(sizeMib * mib)];
    const device = (await runCommand('losetup', ['--find', '--show', '--read-only', ...place, file])).stdout.trim();
    try {
      assert.deepEqual(await signaturesOn(device), [], name);
    } finally {
      await runCommand('losetup', ['-d', device]);
    }
  }
}

test('F33 swap on the disk is switched off, and the disk installed', async () => {
  const file = resources.sparseFile(diskBytes);
  await using used = new Resources();
  const device = await used.loop(file);
  await runCommand('sgdisk', ['-n', '1:2048:+100M', device]);
  await runCommand('partx', ['-a', device]);
  await runCommand('mkswap', ['-q', `${device}p1`]);
  await runCommand('swapon', [`${device}p1`]);
  used.defer('swapoff', async () => void (await runCommand('swapoff', [`${device}p1`], { okExitCodes: [0, 4, 255] })));
  await provisionOk({ image, disk: device });
  assert.ok(!readFileSync('/proc/swaps', 'utf8').includes(device));
  await used[Symbol.asyncDispose]();
  await checkInstalledDisk(await openInstalledDisk(resources, file));
});

const dirtyDisks: Readonly<Record<string, () => Promise<string>>> = {
  'a device that can forget and make zeros': async () => resources.sparseFile(diskBytes),
  'a device that can only be written': async () => await fileOnRamfs(diskBytes),
};
for (const [what, makeFile] of Object.entries(dirtyDisks)) {
  test(`F38 whole installation on ${what}, full of 0xff: every byte of layer 0 is on the disk`, async (context) => {
    const file = await makeFile();
    await fill(file);
    await provisionOk({ image, disk: file });
    const installed = await openInstalledDisk(resources, file);
    await checkInstalledDisk(installed);
    await using wanted = await open(bootDisk, 'r');
    await using found = await open(file, 'r');
    const same = await compareWithLayerZero(installed, { wanted, found });
    context.diagnostic(`${same.espBytes} bytes of the ESP differ, ${same.rootBlocks} free blocks of the root compared`);
  });
}

async function fill(file: string): Promise<void> {
  const full = Buffer.alloc(mib, 0xff);
  await pipeline(Readable.from(Array.from({ length: diskBytes / mib }, () => full)), createWriteStream(file));
}

interface Pair {
  readonly wanted: FileHandle;
  readonly found: FileHandle;
}

/** Layer 0 byte for byte where an installation changes nothing, else with the changes that it is allowed. */
async function compareWithLayerZero(
  disk: InstalledDisk,
  pair: Pair,
): Promise<{ espBytes: number; rootBlocks: number }> {
  const [bios, esp, root] = [disk.partition('bios-boot'), disk.partition('esp'), disk.partition('root')];
  // Boot code before the disk signature; behind the table; and the BIOS boot partition with GRUB's core.
  const same = [
    [0, 440],
    [34 * 512, bios.offsetBytes - 34 * 512],
    [bios.offsetBytes, bios.sizeBytes],
  ] as const;
  for (const [offsetBytes, lengthBytes] of same) {
    assert.deepEqual(await differences(pair, offsetBytes, lengthBytes), [], `from byte ${offsetBytes}`);
  }
  const changed = await differences(pair, esp.offsetBytes, esp.sizeBytes);
  // The volume serial in the boot sector and its copy in sector 6 (Microsoft FAT specification, offset 67).
  const serial = [67, 6 * 512 + 67].flatMap((at) => [0, 1, 2, 3].map((byte) => esp.offsetBytes + at + byte));
  assert.deepEqual(
    changed.filter((at) => !serial.includes(at)),
    [],
    'bytes of the ESP',
  );
  const imageRootBytes = (await pair.wanted.stat()).size - mib - root.offsetBytes;
  const free = await freeBlocks(root.device);
  let rootBlocks = 0;
  for (const [first, last] of free) {
    const endBlock = Math.min(last + 1, Math.floor(imageRootBytes / 4096));
    if (endBlock <= first) continue;
    rootBlocks += endBlock - first;
    const place = root.offsetBytes + first * 4096;
    assert.deepEqual(await differences(pair, place, (endBlock - first) * 4096), [], `root block ${first}`);
  }
  return { espBytes: changed.length, rootBlocks };
}

/** Offsets at which the two differ; the first 100. */
async function differences({ wanted, found }: Pair, offsetBytes: number, lengthBytes: number): Promise<number[]> {
  const offsets: number[] = [];
  for (let at = 0; at < lengthBytes && offsets.length < 100; at += 4 * mib) {
    const length = Math.min(4 * mib, lengthBytes - at);
    const [left, right] = await Promise.all([wanted, found].map((file) => readAt(file, offsetBytes + at, length)));
    assert.ok(left !== undefined && right !== undefined);
    if (left.equals(right)) continue;
    for (let byte = 0; byte < length; byte += 1) if (left[byte] !== right[byte]) offsets.push(offsetBytes + at + byte);
  }
  return offsets.slice(0, 100);
}

async function readAt(file: FileHandle, offsetBytes: number, lengthBytes: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(lengthBytes), 0, lengthBytes, offsetBytes);
  assert.equal(bytesRead, lengthBytes);
  return buffer;
}

/** Ranges of free blocks, first and last, as dumpe2fs lists them by group. */
async function freeBlocks(device: string): Promise<[number, number][]> {
  const { stdout } = await runCommand('dumpe2fs', [device]);
  const lists = [...stdout.matchAll(/^ {2}Free blocks: (.+)$/gm)].map((match) => match[1] ?? '');
  return lists.flatMap((list) =>
    list.split(', ').map((range): [number, number] => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return [first, last];
    }),
  );
}
