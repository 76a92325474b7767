import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { makeBootDisk, writeBootImage } from '../../builders/boot-image.ts';
import { checkInstalledDisk, type InstalledPartition, openInstalledDisk } from '../../builders/installed-disk.ts';
import { provision, provisionOk } from '../../builders/provision.ts';
import { Resources } from '../../resources.ts';

const mib = 1024 ** 2;
const tib = 1024 ** 4;
const resources = new Resources();
after(() => resources[Symbol.asyncDispose]());

let image = '';
let image4k = '';
before(async () => {
  image = (await writeBootImage(resources, { disk: await makeBootDisk(resources) })).reference;
  image4k = (await writeBootImage(resources, { disk: await makeBootDisk(resources, 4096) })).reference;
});

interface Ext4Facts {
  readonly blockBytes: number;
  readonly journalBytes: number;
  readonly filesystemBytes: number;
  readonly inodes: number;
}

async function ext4Facts({ device }: InstalledPartition): Promise<Ext4Facts> {
  const { stdout } = await runCommand('dumpe2fs', ['-h', device]);
  const number = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(stdout)?.[1]);
  const journal = /^(?:Total journal|Journal) size:\s+(\d+)([kM])$/m.exec(stdout);
  return {
    blockBytes: number('Block size'),
    journalBytes: Number(journal?.[1]) * (journal?.[2] === 'M' ? mib : 1024),
    filesystemBytes: number('Block count') * number('Block size'),
    inodes: number('Inode count'),
  };
}

const disks = [
  // Around the 2^32 sectors of 512 bytes that a DOS table can count.
  { name: 'F37 one sector above 2 TiB', sizeBytes: 2 * tib + 512, flags: [] },
  { name: 'F37 4 TiB', sizeBytes: 4 * tib, flags: [] },
  { name: 'F37 4 TiB of 4096-byte sectors', sizeBytes: 4 * tib, flags: ['--sector-size', '4096'] },
] as const;

for (const { name, sizeBytes, flags } of disks) {
  test(`${name}: a root of 4 KiB blocks with a journal of at least 64 MiB, and no fault in it`, async (context) => {
    await using own = new Resources();
    const file = own.sparseFile(sizeBytes);
    const sectorBytes = flags.length === 0 ? 512 : 4096;
    const run = await provisionOk({
      image: sectorBytes === 512 ? image : image4k,
      disk: file,
      flags: ['--no-inject-agent', ...flags],
    });
    const disk = await openInstalledDisk(own, file, { sectorBytes });
    await checkInstalledDisk(disk);
    const root = disk.partition('root');
    assert.ok(root.offsetBytes + root.sizeBytes > sizeBytes - 2 * mib, 'the partition ends where the disk does');
    const facts = await ext4Facts(root);
    assert.equal(facts.blockBytes, 4096);
    assert.ok(facts.journalBytes >= 64 * mib, `the journal has ${facts.journalBytes} bytes`);
    assert.ok(facts.filesystemBytes > root.sizeBytes - 128 * mib, `the filesystem has ${facts.filesystemBytes} bytes`);
    assert.ok(facts.inodes > sizeBytes / 16384 / 2, `${facts.inodes} inodes`);
    const usedBytes = statSync(file).blocks * 512;
    context.diagnostic(`${run.seconds.toFixed(1)} s; the sparse file takes ${Math.round(usedBytes / mib)} MiB`);
  });
}

const mismatches = [
  { name: 'an image of 512-byte sectors on a 4096-byte disk', of: () => image, sectorBytes: 4096 },
  { name: 'an image of 4096-byte sectors on a 512-byte disk', of: () => image4k, sectorBytes: 512 },
] as const;

for (const { name, of, sectorBytes } of mismatches) {
  test(`F36 ${name} is refused before the first write, and the image that is needed is named`, async () => {
    await using own = new Resources();
    const file = own.sparseFile(600 * mib);
    const device = await own.loop(file, { sectorBytes });
    const bytes = Buffer.alloc(mib, 'what was there before');
    await runCommand('dd', [`of=${device}`, 'bs=1M', 'status=none', 'conv=notrunc,fsync'], { input: bytes });
    const before = await sha256(file);
    const { exitCode, last, seconds } = await provision({ image: of(), disk: device });
    assert.equal(exitCode, 2);
    assert.ok(seconds < 60);
    assert.deepEqual([last?.code, last?.disk_state], ['sector_size_mismatch', 'untouched']);
    assert.match(
      last?.message ?? '',
      new RegExp(`has ${sectorBytes}-byte sectors.*--sector-size ${sectorBytes} is needed`),
    );
    assert.equal(await sha256(file), before);
  });
}

async function sha256(file: string): Promise<string> {
  return (await runCommand('sha256sum', [file])).stdout.split(' ')[0] ?? '';
}
