import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, truncateSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { createCompressor } from '../../../images/build/compressor.ts';
import { type DiskPlan, fixedIdentities, partitionBytes } from '../../../images/build/disk-plan.ts';
import { guidBytes } from '../../../images/build/encode-gpt.ts';
import { makeDisk } from '../../../images/build/make-disk.ts';
import { Resources } from '../../resources.ts';

const mib = 1024 * 1024;

/** One partition as a sparse file of its own. */
async function cutOut(resources: Resources, file: string, range: { offset: number; length: number }): Promise<string> {
  const out = join(resources.tempDir(), 'partition.raw');
  const [skip, count] = [range.offset / mib, range.length / mib];
  await runCommand('dd', [
    `if=${file}`,
    `of=${out}`,
    'bs=1M',
    `skip=${skip}`,
    `count=${count}`,
    'conv=sparse',
    'status=none',
  ]);
  return out;
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest('hex');
}

async function compressedBytes(file: string): Promise<number> {
  let bytes = 0;
  const count = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length;
      done();
    },
  });
  await pipeline(createReadStream(file, { highWaterMark: mib }), createCompressor({ codec: 'zstd', level: 19 }), count);
  return bytes;
}

async function makeTwice(resources: Resources, sectorBytes: 512 | 4096): Promise<{ file: string; plan: DiskPlan }> {
  const dir = resources.tempDir();
  const [file, second] = [join(dir, 'first.raw'), join(dir, 'second.raw')];
  const plan = await makeDisk({ file, sectorBytes });
  await makeDisk({ file: second, sectorBytes });
  assert.equal(await sha256(file), await sha256(second), 'the same tools give the same bytes');
  return { file, plan };
}

for (const sectorBytes of [512, 4096] as const) {
  test(`layer 0 with ${sectorBytes}-byte sectors: small, reproducible, and clean to sgdisk, e2fsck and fsck.fat`, async () => {
    await using resources = new Resources();
    const { file, plan } = await makeTwice(resources, sectorBytes);
    const size = await compressedBytes(file);
    assert.ok(size <= 5_000_000, `compressed it has ${size} bytes`);

    const device = await resources.loop(file, { sectorBytes, readOnly: true });
    assert.match((await runCommand('sgdisk', ['-v', device])).stdout, /No problems found/);
    const table = (await runCommand('sgdisk', ['-p', device])).stdout;
    const codes = [...table.matchAll(/^ +(\d+) .* ([0-9A-F]{4}) {2}/gm)].map(([, number, code]) => `${number}:${code}`);
    assert.deepEqual(codes, sectorBytes === 512 ? ['1:EF02', '2:EF00', '3:8304'] : ['2:EF00', '3:8304']);

    const root = await cutOut(resources, file, partitionBytes(plan, plan.root));
    await runCommand('e2fsck', ['-fn', root]);
    const facts = (await runCommand('dumpe2fs', ['-h', root])).stdout;
    assert.match(facts, /^Block size: +4096$/m);
    assert.match(facts, /^Inode size:\s+256$/m);
    assert.match(facts, /^Total journal size: +64M$/m);
    assert.match(facts, /^Filesystem volume name: +root$/m);
    const features = /^Filesystem features: +(.*)$/m.exec(facts)?.[1]?.split(' ') ?? [];
    assert.ok(features.includes('meta_bg') && !features.includes('resize_inode'), features.join(' '));
    // GRUB 2.06 cannot read a file system with these.
    assert.ok(!features.includes('metadata_csum_seed') && !features.includes('orphan_file'), features.join(' '));

    const espRange = partitionBytes(plan, plan.esp);
    assert.ok(espRange.length >= 256 * mib);
    const esp = await cutOut(resources, file, espRange);
    assert.match(
      (await runCommand('fsck.fat', ['-n', '-v', esp])).stdout,
      new RegExp(`${sectorBytes} bytes per logical sector`),
    );
    assert.match((await runCommand('minfo', ['-i', esp])).stdout, /disk type="FAT32/);
  });
}

test('invariant 7: neither GRUB core, loader nor boot sector holds an identifier of the disk', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  const file = join(dir, 'disk.raw');
  const plan = await makeDisk({ file, sectorBytes: 512 });
  const esp = partitionBytes(plan, plan.esp);
  const loader = join(dir, 'loader.efi');
  await runCommand('mcopy', ['-i', `${file}@@${esp.offset}`, '::/EFI/BOOT/BOOTX64.EFI', loader]);
  await using handle = await open(file, 'r');
  const head = Buffer.alloc(2 * mib);
  await handle.read(head, 0, head.length, 0);
  assert.ok(plan.biosBoot !== null);
  const places = {
    'boot sector': head.subarray(0, 440),
    'BIOS core': head.subarray(plan.biosBoot.firstLba * 512),
    'EFI loader': readFileSync(loader),
  };
  assert.ok(
    places['BIOS core'].subarray(0, 64 * 1024).some((byte) => byte !== 0),
    'there is a core to look into',
  );
  const { espVolumeId, ...guids } = fixedIdentities;
  for (const [place, bytes] of Object.entries(places)) {
    for (const [name, guid] of Object.entries(guids)) {
      for (const text of [guid, guid.toUpperCase()]) {
        assert.ok(!bytes.includes(text), `${place} holds ${name} as text`);
        assert.ok(!bytes.includes(Buffer.from(text, 'utf16le')), `${place} holds ${name} as UTF-16`);
      }
      assert.ok(!bytes.includes(guidBytes(guid)), `${place} holds ${name} as bytes`);
      assert.ok(!bytes.includes(Buffer.from(guid.replaceAll('-', ''), 'hex')), `${place} holds ${name} as bytes`);
    }
    assert.ok(!bytes.includes(`${espVolumeId.slice(0, 4)}-${espVolumeId.slice(4)}`), `${place} holds the volume id`);
  }
});

test('the root grows to 4 TiB at once, with 4 KiB blocks and its 64 MiB journal, and is clean', async () => {
  await using resources = new Resources();
  const file = join(resources.tempDir(), 'disk.raw');
  const plan = await makeDisk({ file, sectorBytes: 512 });
  const root = await cutOut(resources, file, partitionBytes(plan, plan.root));
  truncateSync(root, 4 * 1024 ** 4);
  await runCommand('e2fsck', ['-fp', root]);
  const before = Date.now();
  await runCommand('resize2fs', [root]);
  assert.ok(Date.now() - before < 60_000, `it took ${Date.now() - before} ms`);
  await runCommand('e2fsck', ['-fn', root]);
  const facts = (await runCommand('dumpe2fs', ['-h', root])).stdout;
  assert.match(facts, /^Block count: +1073741824$/m);
  assert.match(facts, /^Block size: +4096$/m);
  assert.match(facts, /^Inode count: +268435456$/m);
  const journalMib = Number(/^Total journal size: +(\d+)M$/m.exec(facts)?.[1]);
  assert.ok(journalMib >= 64, `the journal has ${journalMib} MiB`);
});
