import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { createDecompress, type DecompressOptions } from '../../../../core/stream/decompress.ts';
import type { Codec } from '../../../../core/stream/types.ts';
import { cut, sendThrough } from '../../../builders/stream-chunks.ts';
import { waitFor } from '../../../resources.ts';

const label = 'layer 3 (sha256:abc…)';
const wholeFile = [Number.MAX_SAFE_INTEGER];

async function decompress(
  codec: Codec,
  bytes: Uint8Array,
  sizes: readonly number[] = wholeFile,
  options: Partial<DecompressOptions> = {},
): Promise<Buffer> {
  return Buffer.concat(await sendThrough(cut(bytes, sizes), [createDecompress(codec, { label, ...options })]));
}

function failure(...codes: string[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ProvisionError, String(error));
    assert.ok(codes.includes(error.code), `${error.code}: ${error.message}`);
    assert.ok(error.message.includes(label), error.message);
    return true;
  };
}

function skippable(bytes: Uint8Array, variant = 0): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a50 + variant, 0);
  head.writeUInt32LE(bytes.length, 4);
  return Buffer.concat([head, bytes]);
}

const checksum = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
const contents = fc.array(fc.oneof(fc.uint8Array({ maxLength: 600 }), fc.constant(new Uint8Array(200_000).fill(7))), {
  minLength: 1,
  maxLength: 4,
});
const splits = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 6 });

test('F02 gzip of several members is one stream, however it is cut into chunks', async () => {
  await fc.assert(
    fc.asyncProperty(contents, splits, async (parts, sizes) => {
      const packed = Buffer.concat(parts.map((part) => gzipSync(part)));
      assert.deepEqual(await decompress('gzip', packed, sizes), Buffer.concat(parts));
    }),
    { numRuns: 60 },
  );
});

test('F02 zstd of several frames, checksums and skippable frames among them, is one stream', async () => {
  const frame = fc.record({
    bytes: fc.oneof(fc.uint8Array({ maxLength: 600 }), fc.constant(new Uint8Array(200_000).fill(7))),
    hasChecksum: fc.boolean(),
    before: fc.option(fc.uint8Array({ maxLength: 50 })),
    variant: fc.integer({ min: 0, max: 15 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(frame, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      splits,
      async (frames, toc, sizes) => {
        const packed = frames.flatMap(({ bytes, hasChecksum, before, variant }) => [
          ...(before ? [skippable(before, variant)] : []),
          zstdCompressSync(bytes, hasChecksum ? checksum : {}),
        ]);
        // zstd:chunked ends with its table of contents in skippable frames.
        if (toc) packed.push(skippable(Buffer.from('{"version":1}')), skippable(Buffer.alloc(64)));
        const result = await decompress('zstd', Buffer.concat(packed), sizes);
        assert.deepEqual(result, Buffer.concat(frames.map(({ bytes }) => bytes)));
      },
    ),
    { numRuns: 60 },
  );
});

test('F02 an eStargz-like blob, one member per file and an empty one with a footer, is read whole', async () => {
  const files = Array.from({ length: 50 }, (_, index) => Buffer.alloc(index * 37, index));
  const footer = gzipSync(Buffer.alloc(0), { level: 0 });
  const packed = Buffer.concat([...files.map((file) => gzipSync(file)), footer]);
  assert.deepEqual(await decompress('gzip', packed), Buffer.concat(files));
});

for (const codec of ['gzip', 'zstd'] as const) {
  const pack = (text: string): Buffer => (codec === 'gzip' ? gzipSync(text) : zstdCompressSync(text, checksum));
  const parts = [pack('the first member'), pack('the second '.repeat(40)), pack('')];
  const packed = Buffer.concat(parts);
  const boundaries = new Set([parts[0]?.length, (parts[0]?.length ?? 0) + (parts[1]?.length ?? 0)]);

  test(`F01 ${codec}: cut off at any byte but a member's end is an error that names the layer`, async () => {
    for (let length = 0; length < packed.length; length += 1) {
      const attempt = decompress(codec, packed.subarray(0, length), [97]);
      if (boundaries.has(length)) await attempt;
      else await assert.rejects(attempt, failure('stream_truncated'), `cut at ${length}`);
    }
  });

  test(`${codec}: other bytes behind the end are an error, whatever they are and however they are cut`, async () => {
    const garbage = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 40 }).filter((bytes) => !looksLikeMore(bytes)),
      fc.constant(new Uint8Array(1)),
      fc.constant(new Uint8Array(70_000)),
      fc.constant(Buffer.concat([Buffer.alloc(3), parts[0] ?? Buffer.alloc(0)])),
    );
    await fc.assert(
      fc.asyncProperty(garbage, splits, async (behind, sizes) => {
        // Fewer bytes than a header has may as well be a header that was cut off.
        const codes = ['stream_trailing_data', ...(behind.length < 10 ? ['stream_truncated'] : [])];
        await assert.rejects(decompress(codec, Buffer.concat([packed, behind]), sizes), failure(...codes));
      }),
      { numRuns: 80 },
    );
  });

  test(`${codec}: a turned bit is an error or leaves the content as it was`, async () => {
    const content = Buffer.from('the second '.repeat(40));
    const whole = codec === 'gzip' ? gzipSync(content) : zstdCompressSync(content, checksum);
    for (let bit = 0; bit < whole.length * 8; bit += 3) {
      const damaged = Buffer.from(whole);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const result = await decompress(codec, damaged, wholeFile, { maxWindowBytes: 2 ** 27 }).catch(
        (error: unknown) => error,
      );
      if (Buffer.isBuffer(result)) assert.deepEqual(result, content, `bit ${bit}`);
      else assert.ok(result instanceof ProvisionError && result.kind !== 'bug', `bit ${bit}: ${result}`);
    }
  });
}

test('bytes that are not of the codec are corrupt, not trailing', async () => {
  for (const codec of ['gzip', 'zstd'] as const) {
    await assert.rejects(decompress(codec, Buffer.from('certainly no compressed data')), failure('stream_corrupt'));
  }
});

test('no compression hands the bytes on as they are', async () => {
  assert.deepEqual(await decompress('none', Buffer.from('plain')), Buffer.from('plain'));
});

test('xz is refused in a sentence that names the layer and what works instead', () => {
  assert.throws(() => createDecompress('xz', { label }), failure('codec_unsupported'));
});

// A frame header with a 2 GiB window (--long=31), then one raw block "hi".
function frameWithWindow(exponent: number): Buffer {
  const block = Buffer.alloc(3);
  block.writeUIntLE((2 << 3) | 1, 0, 3);
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, exponent << 3]), block, Buffer.from('hi')]);
}

test('F10 a zstd window of 2 GiB is decoded when so much memory may be used', async () => {
  const result = await decompress('zstd', frameWithWindow(21), wholeFile, { maxWindowBytes: 2 ** 31 });
  assert.equal(result.toString(), 'hi');
});

test('F10 a larger window than allowed is refused with both sizes, in the first frame and in later ones', async () => {
  const later = Buffer.concat([zstdCompressSync('small'), frameWithWindow(21)]);
  for (const bytes of [frameWithWindow(21), later]) {
    await assert.rejects(decompress('zstd', bytes, [5]), (error) => {
      failure('memory_insufficient')(error);
      assert.match((error as Error).message, /2048 MiB.*128 MiB/);
      return true;
    });
  }
  const options = { label, windowBytes: 2 ** 31, maxWindowBytes: 2 ** 29 };
  assert.throws(() => createDecompress('zstd', options), failure('memory_insufficient'));
});

test('F10 a window that no decoder can hold is named as unsupported', () => {
  const options = { label, windowBytes: 2 ** 32, maxWindowBytes: 2 ** 40 };
  assert.throws(() => createDecompress('zstd', options), failure('codec_unsupported'));
});

test('a decoder whose reader stops does not read on', async () => {
  const decoder = createDecompress('gzip', { label });
  decoder.end(gzipSync(Buffer.alloc(64 * 1024 * 1024), { level: 1 }));
  decoder.read(0);
  let heldBytes = -1;
  const options = { timeoutMs: 10_000, intervalMs: 50 };
  await waitFor(
    'the decoder to stop',
    () => {
      const isStill = decoder.readableLength > 0 && decoder.readableLength === heldBytes;
      heldBytes = decoder.readableLength;
      return isStill;
    },
    options,
  );
  assert.ok(heldBytes <= 4 * 1024 * 1024, `${heldBytes} bytes are held`);
  decoder.destroy();
});

test('bytes behind the end are found for a reader that comes late as well', async () => {
  const decoder = createDecompress('gzip', { label });
  decoder.end(Buffer.concat([gzipSync('content'), Buffer.alloc(1)]));
  await once(decoder, 'finish');
  await assert.rejects(decoder.toArray(), failure('stream_trailing_data'));
});

// A beginning that the format itself would take for one more member or frame.
function looksLikeMore(bytes: Uint8Array): boolean {
  const isGzip = bytes[0] === 0x1f && (bytes.length < 2 || bytes[1] === 0x8b);
  const isZstd = bytes[0] === 0x28 || ((bytes[0] ?? 0) & 0xf0) === 0x50;
  return isGzip || isZstd;
}
