import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  backupGptRange,
  headHoldBytes,
  mebibyte,
  mergeRanges,
  rawDiskBytes,
  subtractRanges,
} from '../../../../agent/disk/geometry.ts';
import { parseGpt } from '../../../../agent/disk/gpt.ts';
import type { ByteRange, Gpt, SectorBytes } from '../../../../agent/disk/types.ts';
import { makeDisk } from './gpt-bytes.ts';

const withFirst = (sectorBytes: SectorBytes, firstLba: number): Gpt => {
  const sectors = 2 * (mebibyte / sectorBytes) + 400;
  const bytes = makeDisk({ sectorBytes, sectors, partitions: [{ number: 1, firstLba, lastLba: firstLba + 10 }] });
  return parseGpt(bytes, sectorBytes);
};

test('what precedes the first partition is held back: at least the table, at most 1 MiB', () => {
  assert.equal(headHoldBytes(withFirst(512, 34)), 34 * 512);
  assert.equal(headHoldBytes(withFirst(512, 64)), 64 * 512);
  assert.equal(headHoldBytes(withFirst(512, 2048)), mebibyte);
  assert.equal(headHoldBytes(withFirst(512, 3000)), mebibyte);
  assert.equal(headHoldBytes(withFirst(4096, 6)), 6 * 4096);
  assert.equal(headHoldBytes(withFirst(4096, 300)), mebibyte);
});

test('a table whose entries reach past what can be held back is refused', () => {
  const gpt = withFirst(512, 2048);
  const far = { ...gpt, entriesLba: 2047, partitions: [] };
  assert.throws(() => headHoldBytes(far), { code: 'gpt_invalid' });
  const inTable = { ...gpt, partitions: gpt.partitions.map((partition) => ({ ...partition, firstLba: 20 })) };
  assert.throws(() => headHoldBytes(inTable), { code: 'gpt_invalid' });
});

test('the raw disk ends with its backup header, which follows the last usable sector', () => {
  const gpt = withFirst(512, 2048);
  const size = rawDiskBytes(gpt);
  assert.equal(size, (2 * 2048 + 400) * 512);
  assert.deepEqual(backupGptRange(gpt), { offsetBytes: size - 33 * 512, lengthBytes: 33 * 512 });
});

const range = fc.record({ offsetBytes: fc.nat(60), lengthBytes: fc.nat(30) });
const bytesOf = (ranges: readonly ByteRange[]): Set<number> =>
  new Set(
    ranges.flatMap(({ offsetBytes, lengthBytes }) => Array.from({ length: lengthBytes }, (_, i) => offsetBytes + i)),
  );

test('subtracting ranges leaves exactly the bytes that no hole covers, in order', () => {
  fc.assert(
    fc.property(range, fc.array(range, { maxLength: 5 }), (whole, holes) => {
      const parts = subtractRanges(whole, holes);
      const covered = bytesOf(holes);
      assert.deepEqual(bytesOf(parts), new Set([...bytesOf([whole])].filter((byte) => !covered.has(byte))));
      for (const [index, part] of parts.entries()) {
        const next = parts[index + 1];
        assert.ok(part.lengthBytes > 0 && (!next || part.offsetBytes + part.lengthBytes <= next.offsetBytes));
      }
    }),
  );
});

test('merging ranges keeps every byte that is on the device, once', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 6 }), fc.integer({ min: 1, max: 80 }), (ranges, sizeBytes) => {
      const merged = mergeRanges(ranges, sizeBytes);
      assert.deepEqual(
        bytesOf(merged),
        new Set([...bytesOf(ranges)].filter((byte) => byte < sizeBytes).sort((a, b) => a - b)),
      );
      assert.equal(
        merged.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0),
        bytesOf(merged).size,
      );
    }),
  );
});
