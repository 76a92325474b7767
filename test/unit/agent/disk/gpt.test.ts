import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { detectGpt, parseBackupGpt, parseGpt } from '../../../../agent/disk/gpt.ts';
import type { SectorBytes } from '../../../../agent/disk/types.ts';
import { linuxRoot, makeDisk, resealEntries, resealHeader } from './gpt-bytes.ts';

const sectorSizes = [512, 4096] as const;
const partitions = [
  { number: 1, firstLba: 64, lastLba: 95, name: 'boot', attributes: 4n },
  { number: 5, firstLba: 96, lastLba: 199, name: 'root “größer” 根' },
];
const disk = (sectorBytes: SectorBytes, parts = partitions): Buffer =>
  makeDisk({ sectorBytes, sectors: 300, partitions: parts });
const invalid = { name: 'ProvisionError', code: 'gpt_invalid' };

for (const sectorBytes of sectorSizes) {
  test(`a table in sectors of ${sectorBytes} bytes is read as it was written, and its backup says the same`, () => {
    const bytes = disk(sectorBytes);
    const gpt = detectGpt(bytes.subarray(0, 200 * sectorBytes));
    assert.equal(gpt.sectorBytes, sectorBytes);
    assert.equal(gpt.diskGuid, '11111111-2222-4333-8444-555555555555');
    assert.equal(gpt.backupLba, 299);
    assert.deepEqual(
      gpt.partitions.map(({ number, firstLba, lastLba, name, attributes, typeGuid }) => ({
        number,
        firstLba,
        lastLba,
        name,
        attributes,
        typeGuid,
      })),
      partitions.map((partition) => ({ attributes: 0n, ...partition, typeGuid: linuxRoot })),
    );
    const tailSectors = 34;
    const tail = bytes.subarray(-tailSectors * sectorBytes);
    const backup = parseBackupGpt(tail, (300 - tailSectors) * sectorBytes, sectorBytes);
    assert.deepEqual(backup.partitions, gpt.partitions);
    assert.equal(backup.headerLba, 299);
    assert.equal(backup.backupLba, 1);
  });

  test(`any changed bit in header or entries is found, sectors of ${sectorBytes} bytes`, () => {
    const bytes = disk(sectorBytes);
    const headerBits = fc.integer({ min: sectorBytes * 8, max: (sectorBytes + 92) * 8 - 1 });
    const entryBits = fc.integer({ min: 2 * sectorBytes * 8, max: (2 * sectorBytes + 128 * 128) * 8 - 1 });
    fc.assert(
      fc.property(fc.oneof(headerBits, entryBits), (bit) => {
        const damaged = Buffer.from(bytes);
        const at = Math.floor(bit / 8);
        damaged[at] = (damaged[at] ?? 0) ^ (1 << (bit % 8));
        assert.throws(() => parseGpt(damaged, sectorBytes), invalid);
      }),
      { numRuns: 300 },
    );
  });
}

test('any other bytes are refused with gpt_invalid and never with another error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 3000 }), fc.boolean(), (garbage, hasSignature) => {
      const bytes = Buffer.from(garbage);
      if (hasSignature && bytes.length > 520) bytes.write('EFI PART', 512, 'latin1');
      assert.throws(() => detectGpt(bytes), invalid);
    }),
  );
});

test('a header whose checksum is right and whose fields are not is refused', () => {
  const fields = [
    [8, 4, 0x00020000n, 'revision'],
    [12, 4, 20n, 'claims 20 bytes'],
    [12, 4, 4000n, 'claims 4000 bytes'],
    [24, 8, 7n, 'says it is at sector 7'],
    [32, 8, 1n, 'overlap'],
    [40, 8, 3n, 'overlap'],
    [40, 8, 290n, 'overlap'],
    [48, 8, 299n, 'overlap'],
    [48, 8, 1n << 60n, 'the last usable sector'],
    [72, 8, 1n, 'checksum|overlap'],
    [72, 8, 290n, 'outside what was read'],
    [80, 4, 0n, '0 entries'],
    [80, 4, 100000n, '100000 entries'],
    [84, 4, 100n, '100 bytes each'],
  ] as const;
  for (const [offset, length, value, message] of fields) {
    const bytes = disk(512);
    if (length === 8) bytes.writeBigUInt64LE(value, 512 + offset);
    else bytes.writeUInt32LE(Number(value), 512 + offset);
    resealHeader(bytes, 512);
    assert.throws(() => parseGpt(bytes, 512), { ...invalid, message: new RegExp(message) }, `${offset}: ${value}`);
  }
});

test('partitions that overlap, lie outside, or end before they start are refused', () => {
  const bad = [
    [{ number: 1, firstLba: 64, lastLba: 63 }, 'ends before it starts'],
    [{ number: 1, firstLba: 20, lastLba: 90 }, 'outside the usable sectors'],
    [{ number: 1, firstLba: 64, lastLba: 270 }, 'outside the usable sectors'],
    [{ number: 2, firstLba: 199, lastLba: 220 }, 'partitions 5 and 2 overlap'],
  ] as const;
  for (const [partition, message] of bad) {
    const bytes = disk(512, [partition, { number: 5, firstLba: 96, lastLba: 199, name: '' }] as typeof partitions);
    assert.throws(() => parseGpt(bytes, 512), { ...invalid, message: new RegExp(message) });
  }
});

test('an entry whose type is unused is no partition, whatever else it holds', () => {
  const bytes = disk(512);
  bytes.fill(0, 1024, 1024 + 16);
  resealEntries(bytes, 512);
  assert.deepEqual(
    parseGpt(bytes, 512).partitions.map((partition) => partition.number),
    [5],
  );
});

test('a backup table that is not in the last sector is no backup table', () => {
  const bytes = disk(512);
  assert.throws(() => parseBackupGpt(bytes.subarray(0, -512), 0, 512), invalid);
});
