import assert from 'node:assert/strict';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { planDisk } from '../../../../images/build/disk-plan.ts';
import { encodeGpt } from '../../../../images/build/encode-gpt.ts';
import { MeasureDisk } from '../../../../images/build/measure-disk.ts';
import { MeasureTar, unpackedBytes } from '../../../../images/build/measure-tar.ts';
import { tarHeader, tarOfFiles } from '../../../../images/build/tar-of-files.ts';

async function pass<T extends MeasureDisk | MeasureTar>(measure: T, bytes: Iterable<Buffer>): Promise<T> {
  const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
  await pipeline(Readable.from(bytes, { objectMode: false }), measure, sink);
  return measure;
}

function pieces(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
}

test('space on the root: whole blocks for files, one for folders and long links, none for the rest', () => {
  const of = (type: 'file' | 'directory' | 'symlink' | 'link' | 'fifo', size = 0, linkname = ''): number =>
    unpackedBytes({ name: 'x', type, size, linkname });
  assert.deepEqual([of('file', 0), of('file', 1), of('file', 4096), of('file', 4097)], [0, 4096, 4096, 8192]);
  assert.deepEqual([of('directory'), of('link'), of('fifo')], [4096, 0, 0]);
  assert.deepEqual([of('symlink', 0, 'a'.repeat(59)), of('symlink', 0, 'a'.repeat(60))], [0, 4096]);
});

test('a tar is counted while it passes, however it is cut', async () => {
  const tar = tarOfFiles([
    { name: 'a', data: Buffer.alloc(5000, 1) },
    { name: 'b', data: Buffer.alloc(0) },
  ]);
  for (const size of [1, 511, 512, 100_000]) {
    const measure = await pass(new MeasureTar('the layer'), pieces(tar, size));
    assert.deepEqual(measure.result(), { entries: 2, unpackedBytes: 8192 });
  }
});

test('a tar that is cut off, is none or holds nothing is refused by name', async () => {
  const refused = { code: 'image_build_failed', message: 'the layer is not a whole tar archive' };
  const tar = tarOfFiles([{ name: 'a', data: Buffer.alloc(5000, 1) }]);
  await assert.rejects(pass(new MeasureTar('the layer'), [tar.subarray(0, 3000)]), refused);
  await assert.rejects(pass(new MeasureTar('the layer'), [Buffer.alloc(4096, 'no tar')]), refused);
  await assert.rejects(pass(new MeasureTar('the layer'), [Buffer.alloc(1024)]), refused);
  assert.throws(() => new MeasureTar('the layer').result(), { code: 'invariant' });
});

test('a tar header cannot say 8 GiB, and does not pretend to', () => {
  assert.throws(() => tarHeader('disk.raw.zst', 8 * 1024 ** 3), { code: 'image_build_failed' });
  assert.equal(tarHeader('disk.raw.zst', 8 * 1024 ** 3 - 1).toString('latin1', 124, 135), '77777777777');
});

/** Head of a planned disk and a superblock on its root, as chunks; the rest zeros. */
function* disk(sectorBytes: 512 | 4096, options: { magic?: [number, string]; lengthBytes?: number } = {}) {
  const plan = planDisk({ sectorBytes });
  const { head } = encodeGpt(plan);
  const rootOffset = plan.root.firstLba * sectorBytes;
  const chunkBytes = 1_000_003;
  const length = options.lengthBytes ?? plan.diskBytes;
  for (let at = 0; at < length; at += chunkBytes) {
    const chunk = Buffer.alloc(Math.min(chunkBytes, length - at));
    if (at === 0) head.copy(chunk);
    const [offset, text] = options.magic ?? [0, ''];
    const place = rootOffset + offset - at;
    if (place >= 0 && place + text.length <= chunk.length) chunk.write(text, place, 'latin1');
    yield chunk;
  }
}

test('sector size, size and root file system of a raw disk are read while it passes', async () => {
  const cases = [
    [512, 0x438, '\x53\xef', 'ext4'],
    [512, 0, 'XFSB', 'xfs'],
    [512, 0x10040, '_BHRfS_M', 'btrfs'],
    [512, 0, 'hello', null],
    [4096, 0x438, '\x53\xef', 'ext4'],
  ] as const;
  for (const [sectorBytes, offset, magic, rootType] of cases) {
    const { diskBytes } = planDisk({ sectorBytes });
    const measure = await pass(new MeasureDisk('the disk'), disk(sectorBytes, { magic: [offset, magic] }));
    assert.deepEqual(measure.result(), { diskBytes, sectorBytes, rootType });
  }
});

test('a disk that is cut off or has no table is refused by name', async () => {
  const refused = { code: 'image_build_failed', message: 'the disk is not a whole raw disk with a GPT' };
  await assert.rejects(pass(new MeasureDisk('the disk'), disk(512, { lengthBytes: 400_000_000 })), refused);
  await assert.rejects(pass(new MeasureDisk('the disk'), [Buffer.alloc(2_000_000)]), refused);
  await assert.rejects(pass(new MeasureDisk('the disk'), []), refused);
});
