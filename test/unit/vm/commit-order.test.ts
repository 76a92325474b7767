import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkReplay, commitOrder, everyPoint } from '../../vm/commit-order.ts';
import type { LogEntry, WriteLog } from '../../vm/write-log.ts';

const sectorBytes = 512;
const mib = 1024 * 1024;
const diskBytes = 64 * mib;

const flush: LogEntry = { kind: 'flush', offsetBytes: 0, lengthBytes: 0, start: Buffer.alloc(0) };
const discard: LogEntry = { kind: 'discard', offsetBytes: 0, lengthBytes: diskBytes, start: Buffer.alloc(0) };
const write = (offsetBytes: number, lengthBytes: number, ...bytes: number[]): LogEntry => {
  const start = Buffer.alloc(Math.min(4096, lengthBytes));
  for (const [sector, byte] of bytes.entries()) start.fill(byte, sector * sectorBytes, (sector + 1) * sectorBytes);
  return { kind: 'write', offsetBytes, lengthBytes, start };
};
const log = (entries: LogEntry[]): WriteLog => ({ sectorBytes, diskBytes, entries });

const erasure = [discard, write(0, mib), write(diskBytes - mib, mib), flush];
const content = [write(mib, 8 * mib, 7), flush];
const tables = [write(512, 33 * 512, 1, 2), write(diskBytes - 33 * 512, 33 * 512, 3), flush];
const commit = [write(0, 512, 9), flush];

test('the right order is accepted, and its points are found', () => {
  const order = commitOrder(log([...erasure, ...content, ...tables, ...commit]));
  assert.deepEqual(order, { commitIndex: 9, unchangedBytes: 0, erasedAfter: 2, flushPoints: [4, 6, 9, 11] });
});

test('a write of the whole first page is the write of LBA 0 alone as long as the rest of the page is unchanged', () => {
  const through = (entry: LogEntry): WriteLog => log([...erasure, ...content, ...tables, entry, flush]);
  assert.equal(commitOrder(through(write(0, 4096, 9, 1, 2))).unchangedBytes, 3584);
  assert.throws(() => commitOrder(through(write(0, 4096, 9, 1, 5))), /entry 9 changes LBA 0 together with/);
  assert.throws(() => commitOrder(through(write(0, 8192, 9, 1, 2))), /entry 9 changes LBA 0 together with/);
});

const wrong: Record<string, [LogEntry[], RegExp]> = {
  'no LBA 0': [[...erasure, ...content, ...tables], /LBA 0 was never written/],
  'LBA 0 first': [[...erasure, ...commit, ...content, ...tables], /entry 6 changes the disk after LBA 0 \(entry 4\)/],
  'LBA 0 before the tables': [[...erasure, ...content, ...commit, ...tables], /entry 8 changes the disk after LBA 0/],
  'tables not flushed': [
    [...erasure, ...content, ...tables.slice(0, 2), ...commit],
    /entry 7 was not flushed when entry 8 wrote LBA 0/,
  ],
  'LBA 0 not flushed': [[...erasure, ...content, ...tables, write(0, 512, 9)], /was never flushed/],
  'a discard after LBA 0': [[...erasure, ...content, ...tables, ...commit, discard], /entry 11 changes the disk/],
  'no erasure': [[...content, ...tables, ...commit], /LBA 0 was not zeroed/],
  'content before the erasure': [[...content, ...erasure, ...tables, ...commit], /entry 0 came before the zeros/],
  'erasure not flushed': [
    [...erasure.slice(0, 3), ...content, ...tables, ...commit],
    /entry 3 came before the zeros of LBA 0 \(entry 1\) were flushed/,
  ],
};

for (const [name, [entries, message]] of Object.entries(wrong)) {
  test(`a wrong order is refused: ${name}`, () => {
    assert.throws(() => commitOrder(log(entries)), message);
  });
}

test('the points are all of them: before the first entry, after each, after the last', () => {
  assert.deepEqual(everyPoint(log([...commit, flush])), [0, 1, 2, 3]);
});

test('a replay that sees a partition too early, none too late, or nothing at all is refused', () => {
  const order = { commitIndex: 3, unchangedBytes: 0, erasedAfter: 1, flushPoints: [] };
  const expected = { order, partitions: 3, blankFrom: 0 };
  const seen = (...counts: number[]): Map<number, number> => new Map(counts.map((count, point) => [point, count]));
  assert.deepEqual(checkReplay(seen(0, 0, 0, 0, 3, 3), expected), { before: 4, after: 2 });
  assert.throws(() => checkReplay(seen(0, 0, 0, 3, 3, 3), expected), /at point 3 the kernel sees 3 partitions, not 0/);
  assert.throws(() => checkReplay(seen(0, 0, 0, 0, 0, 3), expected), /at point 4 the kernel sees 0 partitions, not 3/);
  assert.throws(() => checkReplay(seen(2, 0, 0, 0, 3), expected), /at point 0/);
  assert.deepEqual(checkReplay(seen(2, 0, 0, 0, 3), { ...expected, blankFrom: 1 }), { before: 3, after: 1 });
  assert.throws(() => checkReplay(seen(0, 0, 0, 0), expected), /no proof: 4 points before LBA 0, 0 after it/);
});
