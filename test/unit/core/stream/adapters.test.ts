import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { createProgressMeter } from '../../../../core/stream/progress-meter.ts';
import { createRechunk } from '../../../../core/stream/rechunk.ts';
import { createSizeLimit } from '../../../../core/stream/size-limit.ts';
import { cut, sendThrough } from '../../../builders/stream-chunks.ts';

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });

test('rechunk gives the same bytes in chunks of one size, the last one shorter', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 400 }),
      sizes,
      fc.integer({ min: 1, max: 64 }),
      async (bytes, from, size) => {
        const out = await sendThrough(cut(bytes, from), [createRechunk(size)]);
        assert.deepEqual(Buffer.concat(out), Buffer.from(bytes));
        assert.ok(out.slice(0, -1).every((chunk) => chunk.length === size));
        assert.ok((out.at(-1)?.length ?? size) <= size);
      },
    ),
  );
});

test('rechunk joins neighbours in memory without copying, and copies others', async () => {
  const memory = Buffer.alloc(64, 1);
  const neighbours = [memory.subarray(0, 10), memory.subarray(10, 32), memory.subarray(32, 64)];
  const [joined] = await sendThrough(neighbours, [createRechunk(32)]);
  assert.equal(joined?.buffer, memory.buffer);
  const apart = [memory.subarray(0, 10), memory.subarray(20, 42)];
  const [copied] = await sendThrough(apart, [createRechunk(32)]);
  assert.notEqual(copied?.buffer, memory.buffer);
  assert.equal(copied?.length, 32);
});

test('the size limit lets exactly the limit pass and fails at the next byte', async () => {
  const bytes = Buffer.alloc(100, 2);
  assert.equal(Buffer.concat(await sendThrough(cut(bytes, [7]), [createSizeLimit(100, 'layer 0')])).length, 100);
  await assert.rejects(
    sendThrough(cut(bytes, [7]), [createSizeLimit(99, 'layer 0')]),
    (error) => error instanceof ProvisionError && error.code === 'size_mismatch' && error.message.startsWith('layer 0'),
  );
});

test('the progress meter counts what passes', async () => {
  const seen: number[] = [];
  const out = await sendThrough(cut(Buffer.alloc(10), [4]), [createProgressMeter((total) => seen.push(total))]);
  assert.deepEqual(seen, [4, 8, 10]);
  assert.equal(Buffer.concat(out).length, 10);
});
