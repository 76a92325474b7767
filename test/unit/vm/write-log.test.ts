import assert from 'node:assert/strict';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Resources } from '../../resources.ts';
import { readWriteLog } from '../../vm/write-log.ts';

const sector = 512;
const diskBytes = 1024 * 1024;

function header(...fields: bigint[]): Buffer {
  const buffer = Buffer.alloc(sector);
  for (const [index, field] of fields.entries()) buffer.writeBigUInt64LE(field, index * 8);
  return buffer;
}

const superblock = (entries: bigint): Buffer => {
  const buffer = header(0x6a736677736872n, 1n, entries);
  buffer.writeUInt32LE(sector, 24);
  return buffer;
};

test('a log is read: writes with their first bytes, discards without data, flushes', async () => {
  await using resources = new Resources();
  const file = join(resources.tempDir(), 'log');
  const data = Buffer.alloc(10 * sector, 5);
  const parts = [superblock(3n), header(8n, 10n, 0n, 0n), data, header(0n, 2048n, 4n, 0n), header(0n, 0n, 1n, 0n)];
  writeFileSync(file, Buffer.concat(parts));
  const { entries } = readWriteLog(file, diskBytes);
  assert.deepEqual(
    entries.map((entry) => [entry.kind, entry.offsetBytes, entry.lengthBytes, entry.start.length]),
    [
      ['write', 4096, 5120, 4096],
      ['discard', 0, diskBytes, 0],
      ['flush', 0, 0, 0],
    ],
  );
  assert.throws(() => readWriteLog(file, diskBytes / 2), /entry 1 lies outside the disk/);
  truncateSync(file, sector * 13);
  assert.throws(() => readWriteLog(file, diskBytes), /cut off/);
});

test('what is no log, or one whose entries do not end where the file does, is refused', async () => {
  await using resources = new Resources();
  const file = join(resources.tempDir(), 'log');
  const refuse = (parts: Buffer[], message: RegExp): void => {
    writeFileSync(file, Buffer.concat(parts));
    assert.throws(() => readWriteLog(file, diskBytes), message);
  };
  refuse([Buffer.alloc(sector)], /is no log of writes/);
  refuse([superblock(1n), header(0n, 1n, 64n, 0n), Buffer.alloc(sector)], /no entry of a log at byte 512/);
  refuse([superblock(1n), header(0n, 1n, 1n, 0n), Buffer.alloc(sector)], /a flush with data/);
  refuse([superblock(0n), header(0n, 1n, 0n, 0n), Buffer.alloc(sector)], /0 entries end at 512, the file at 1536/);
});
