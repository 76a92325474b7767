import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { mebibyte } from '../../../../agent/disk/geometry.ts';
import { parseGpt } from '../../../../agent/disk/gpt.ts';
import { createImageWriter, heldRanges, type ImageWriterOptions } from '../../../../agent/disk/image-writer.ts';
import { isZero } from '../../../../agent/disk/zero-runs.ts';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { createFaultyTarget, type Fault, type FaultyTarget } from '../../../fakes/faulty-target.ts';
import { makeDisk } from './gpt-bytes.ts';

const imageBytes = 4 * mebibyte;
const diskBytes = 5 * mebibyte;
const partition = { number: 1, firstLba: 2048, lastLba: 5000 };

/** Data, zeros and data again, so that runs of zeros begin and end anywhere. */
function makeImage(firstLba = partition.firstLba): Buffer {
  const image = makeDisk({ sectorBytes: 512, sectors: imageBytes / 512, partitions: [{ ...partition, firstLba }] });
  image.fill('image data ', firstLba * 512, 1.5 * mebibyte + 333);
  image.fill('more data ', 2 * mebibyte + 77, 2.5 * mebibyte);
  return image;
}

interface Run {
  readonly image?: Buffer;
  readonly sizes?: readonly number[];
  readonly options?: Partial<ImageWriterOptions>;
}

async function write(target: FaultyTarget, run: Run = {}): Promise<void> {
  const image = run.image ?? makeImage();
  const sizes = run.sizes ?? [65_536];
  const imageGpt = parseGpt(image, 512);
  const writer = createImageWriter(target, { imageGpt, sizeBytes: imageBytes, erased: { zeroed: [] }, ...run.options });
  function* pieces(): Generator<Buffer> {
    for (let at = 0, i = 0; at < image.length; i += 1) {
      const length = sizes[i % sizes.length] ?? 1;
      yield image.subarray(at, at + length);
      at += length;
    }
  }
  await pipeline(Readable.from(pieces()), writer);
}

function assertImageButHead(disk: Buffer, image: Buffer, holdBytes = mebibyte): void {
  assert.ok(
    disk.subarray(holdBytes, imageBytes).equals(image.subarray(holdBytes, imageBytes)),
    'the image range differs',
  );
}

test('F38 every byte of the image is on the disk, and the head and what follows the image are as they were', async () => {
  const target = createFaultyTarget({ sizeBytes: diskBytes });
  const before = Buffer.from(target.contents);
  await write(target);
  assertImageButHead(target.medium, makeImage());
  assert.ok(target.medium.subarray(0, mebibyte).equals(before.subarray(0, mebibyte)));
  assert.ok(target.medium.subarray(imageBytes).equals(before.subarray(imageBytes)));
});

test('a partition that begins below 1 MiB is written in place, the table before it is not', async () => {
  const target = createFaultyTarget({ sizeBytes: diskBytes, initial: Buffer.alloc(diskBytes) });
  const image = makeImage(40);
  await write(target, { image });
  assertImageButHead(target.medium, image, 40 * 512);
  assert.ok(isZero(target.medium.subarray(0, 40 * 512)));
});

test("the image's backup table is not written where it would be the disk's own", async () => {
  for (const [sizeBytes, isHeld] of [
    [imageBytes, true],
    [imageBytes + 512, true],
    [imageBytes + 32 * 512, true],
    [imageBytes + 33 * 512, false],
    [diskBytes, false],
  ] as const) {
    const target = createFaultyTarget({ sizeBytes, initial: Buffer.alloc(sizeBytes) });
    await write(target);
    const hasHeader = target.contents.subarray(imageBytes - 512, imageBytes - 504).equals(Buffer.from('EFI PART'));
    assert.equal(hasHeader, !isHeld, `disk of ${sizeBytes} bytes`);
    assert.equal(heldRanges(target, { imageGpt: parseGpt(makeImage(), 512) }).length, isHeld ? 2 : 1);
  }
});

test('zeros are left out only where the device is zero for sure', async () => {
  const zeroedTo = 1.75 * mebibyte;
  const initial = Buffer.alloc(diskBytes, 0).fill('old ', zeroedTo);
  const target = createFaultyTarget({ sizeBytes: diskBytes, initial });
  await write(target, { options: { erased: { zeroed: [{ offsetBytes: 0, lengthBytes: zeroedTo }] } } });
  assertImageButHead(target.medium, makeImage());
  const written = target.calls.reduce((sum, call) => sum + (call === 'sync' ? 0 : call.lengthBytes), 0);
  // From 1.5 MiB + 333 to 1.75 MiB there are zeros that need not be written: three whole pieces of 64 KiB.
  assert.equal(written, imageBytes - mebibyte - 3 * 64 * 1024);
});

test('at most two portions wait to be flushed, progress is what is on the medium, and the end is flushed', async () => {
  // A medium that is slower than the stream by far.
  const target = createFaultyTarget({ sizeBytes: diskBytes, syncTurns: 200 });
  const flushed: number[] = [];
  const flushEveryBytes = mebibyte;
  const onMedium: boolean[] = [];
  const image = makeImage();
  const onFlushed = (bytes: number): void => {
    flushed.push(bytes);
    onMedium.push(target.medium.subarray(mebibyte, bytes).equals(image.subarray(mebibyte, bytes)));
  };
  await write(target, { image, options: { flushEveryBytes, onFlushed } });
  assert.deepEqual(flushed, [mebibyte, 2 * mebibyte, 3 * mebibyte, imageBytes]);
  assert.ok(onMedium.every((isThere) => isThere));
  assert.ok(target.mostDirtyBytes <= 2 * mebibyte, `${target.mostDirtyBytes} bytes were waiting`);
  assert.equal(target.calls.at(-1), 'sync');
});

test('a stream that ends early is an error with both sizes', async () => {
  const image = makeImage();
  const imageGpt = parseGpt(image, 512);
  const target = createFaultyTarget({ sizeBytes: diskBytes });
  const writer = createImageWriter(target, { imageGpt, sizeBytes: imageBytes, erased: { zeroed: [] } });
  await assert.rejects(pipeline(Readable.from([image.subarray(0, 2_000_000)]), writer), {
    code: 'stream_truncated',
    facts: { received_bytes: 2_000_000, expected_bytes: imageBytes },
  });
});

test('padding after the image is dropped, data after it is an error', async () => {
  const target = createFaultyTarget({ sizeBytes: diskBytes });
  const before = Buffer.from(target.contents.subarray(imageBytes));
  await write(target, { image: Buffer.concat([makeImage(), Buffer.alloc(200_000)]) });
  assert.ok(target.contents.subarray(imageBytes).equals(before));
  const longer = Buffer.concat([makeImage(), Buffer.alloc(150_000), Buffer.from('x')]);
  await assert.rejects(write(target, { image: longer, sizes: [100_000] }), { code: 'size_mismatch' });
});

const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({ on: fc.constant('write'), nthCall: fc.nat(8), does: fc.constant('short'), bytes: fc.nat(70_000) }),
  fc.record({
    on: fc.constantFrom('write', 'sync'),
    nthCall: fc.nat(8),
    does: fc.constant('fail'),
    errno: fc.constantFrom('EIO', 'ENOSPC', 'ENODEV', 'EINTR'),
  }),
  fc.record({
    on: fc.constant('write'),
    offsetBytes: fc.nat(diskBytes),
    does: fc.constant('fail'),
    errno: fc.constantFrom('EIO', 'ENOSPC'),
  }),
) as fc.Arbitrary<Fault>;

const commonImage = makeImage();

test('F60 with any script of faults there is a correct image or a typed error with its offset, and never a table', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fault, { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (script, sizes, isSameSize) => {
        const image = commonImage;
        const sizeBytes = isSameSize ? imageBytes : diskBytes;
        const target = createFaultyTarget({ sizeBytes, script, initial: Buffer.alloc(sizeBytes) });
        const big = sizes.map((size) => Math.max(size, 20_000));
        const held = heldRanges(target, { imageGpt: parseGpt(image, 512) });
        try {
          await write(target, { image, sizes: big, options: { flushEveryBytes: mebibyte } });
          const end = isSameSize ? imageBytes - 33 * 512 : imageBytes;
          assert.ok(target.medium.subarray(mebibyte, end).equals(image.subarray(mebibyte, end)));
        } catch (error) {
          assert.ok(error instanceof ProvisionError, String(error));
          assert.equal(error.kind, 'device');
          const offset = error.facts['offset_bytes'];
          assert.ok(typeof offset === 'number' && offset >= 0 && offset <= sizeBytes, JSON.stringify(error.facts));
        }
        for (const { offsetBytes, lengthBytes } of held) {
          const bytes = target.contents.subarray(offsetBytes, offsetBytes + lengthBytes);
          assert.ok(
            bytes.every((byte) => byte === 0),
            'something was written where the table belongs',
          );
        }
      },
    ),
    { numRuns: 30 },
  );
});
