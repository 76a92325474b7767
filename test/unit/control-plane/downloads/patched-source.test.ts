import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ByteSource } from '../../../../control-plane/downloads/byte-source.ts';
import { PatchedSource } from '../../../../control-plane/downloads/patched-source.ts';

class MemorySource implements ByteSource {
  readonly etag = '"base"';
  readonly modifiedMs = 0;
  readonly sizeBytes: number;
  isClosed = false;
  readonly #bytes: Buffer;
  readonly #chunkBytes: number;

  constructor(bytes: Buffer, chunkBytes: number) {
    this.#bytes = bytes;
    this.#chunkBytes = chunkBytes;
    this.sizeBytes = bytes.byteLength;
  }

  async *read(start: number, end: number): AsyncGenerator<Uint8Array> {
    for (let at = start; at < end; at += this.#chunkBytes) {
      yield this.#bytes.subarray(at, Math.min(at + this.#chunkBytes, end));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true;
  }
}

async function collect(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const part of parts) chunks.push(part);
  return Buffer.concat(chunks);
}

test('every part of a patched source is that part of the patched bytes; its base is untouched', async () => {
  const place = fc.record({
    sizeBytes: fc.integer({ min: 20, max: 200 }),
    patchBytes: fc.integer({ min: 1, max: 20 }),
    offset: fc.nat(199),
    chunkBytes: fc.integer({ min: 1, max: 50 }),
    bounds: fc.tuple(fc.nat(200), fc.nat(200)),
  });
  await fc.assert(
    fc.asyncProperty(place, async ({ sizeBytes, patchBytes, offset: wanted, chunkBytes, bounds }) => {
      const offset = wanted % (sizeBytes - patchBytes + 1);
      const base = Buffer.alloc(sizeBytes, 'b');
      const expected = Buffer.from(base);
      expected.fill('P', offset, offset + patchBytes);
      const [start = 0, end = 0] = bounds.map((bound) => Math.min(bound, sizeBytes)).sort((a, b) => a - b);
      const inner = new MemorySource(base, chunkBytes);
      await using source = new PatchedSource(inner, Buffer.alloc(patchBytes, 'P'), offset);
      assert.deepEqual(await collect(source.read(start, end)), expected.subarray(start, end));
      assert.deepEqual(base, Buffer.alloc(sizeBytes, 'b'));
    }),
    { numRuns: 300 },
  );
});

test('another patch is another version; the base is closed with it', async () => {
  const base = new MemorySource(Buffer.alloc(64), 10);
  const one = new PatchedSource(base, Buffer.from('one'), 5);
  const two = new PatchedSource(base, Buffer.from('two'), 5);
  assert.match(one.etag, /^"base-[0-9a-f]{16}"$/);
  assert.notEqual(one.etag, two.etag);
  assert.equal(one.sizeBytes, 64);
  await one[Symbol.asyncDispose]();
  assert.equal(base.isClosed, true);
});
