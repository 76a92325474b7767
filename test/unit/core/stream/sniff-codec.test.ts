import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { sniffBytes, sniffCodec } from '../../../../core/stream/sniff-codec.ts';

function withWindow(descriptor: number): Buffer {
  return Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, descriptor, 0, 0, 0]);
}

test('gzip, zstd and xz are recognised from their first bytes, anything else is none', () => {
  assert.equal(sniffCodec(gzipSync('x').subarray(0, sniffBytes)).codec, 'gzip');
  assert.equal(sniffCodec(zstdCompressSync('x')).codec, 'zstd');
  assert.equal(sniffCodec(Buffer.from('fd377a585a0000', 'hex')).codec, 'xz');
  for (const other of ['', 'PK', '1f8b', '28b52f', 'eb6390']) {
    assert.deepEqual(sniffCodec(Buffer.from(other, 'hex')), { codec: 'none', windowBytes: 0 });
  }
});

test('the zstd window is read from the frame header, as RFC 8878 computes it', () => {
  assert.equal(sniffCodec(withWindow(0)).windowBytes, 1024);
  assert.equal(sniffCodec(withWindow((17 << 3) | 0)).windowBytes, 2 ** 27);
  assert.equal(sniffCodec(withWindow((17 << 3) | 3)).windowBytes, 2 ** 27 + 3 * 2 ** 24);
  assert.equal(sniffCodec(withWindow(21 << 3)).windowBytes, 2 ** 31);
});

test('the window of what the encoder was told is found, behind skippable frames too', () => {
  const packed = zstdCompressSync(Buffer.alloc(3_000_000), {
    params: { [constants.ZSTD_c_windowLog]: 20, [constants.ZSTD_c_contentSizeFlag]: 0 },
  });
  const skip = Buffer.concat([Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 4, 0, 0, 0]), Buffer.from('abcd')]);
  assert.equal(sniffCodec(Buffer.concat([skip, packed]).subarray(0, sniffBytes)).windowBytes, 2 ** 20);
});

test('a single-segment frame needs its content size', () => {
  const packed = zstdCompressSync(Buffer.alloc(1000, 'x'));
  assert.equal(sniffCodec(packed).windowBytes, 1000);
});

test('no prefix of a stream makes the sniffer throw', () => {
  const bytes = fc.uint8Array({ maxLength: sniffBytes });
  fc.assert(
    fc.property(bytes, (tail) => sniffCodec(Buffer.concat([Buffer.from('28b52ffd', 'hex'), tail])).codec === 'zstd'),
  );
  fc.assert(fc.property(bytes, (any) => ['none', 'gzip', 'xz', 'zstd'].includes(sniffCodec(any).codec)));
});
