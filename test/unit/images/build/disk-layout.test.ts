import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseBackupGpt, parseGpt } from '../../../../agent/disk/gpt.ts';
import {
  defaultEspBytes,
  defaultRootBytes,
  fixedIdentities,
  partitionBytes,
  partitionTypes,
  planDisk,
} from '../../../../images/build/disk-plan.ts';
import { encodeGpt, guidBytes } from '../../../../images/build/encode-gpt.ts';
import { patchBiosCore } from '../../../../images/build/grub-core.ts';

const mib = 1024 * 1024;

test('any plan gives a table that our parser reads back at both ends, root last, nothing overlapping', () => {
  const sizes = fc.record({
    sectorBytes: fc.constantFrom(512 as const, 4096 as const),
    espBytes: fc.integer({ min: 264, max: 4096 }).map((size) => size * mib),
    rootBytes: fc.integer({ min: 256, max: 65536 }).map((size) => size * mib),
  });
  fc.assert(
    fc.property(sizes, (options) => {
      const plan = planDisk(options);
      const { head, tail, tailOffsetBytes } = encodeGpt(plan);
      assert.equal(tailOffsetBytes + tail.length, plan.diskBytes);
      const gpt = parseGpt(head, options.sectorBytes);
      const backup = parseBackupGpt(tail, tailOffsetBytes, options.sectorBytes);
      assert.deepEqual(backup.partitions, gpt.partitions);
      assert.equal(gpt.backupLba, plan.diskBytes / options.sectorBytes - 1);
      assert.equal(gpt.diskGuid, fixedIdentities.diskGuid);
      const last = gpt.partitions.at(-1);
      assert.deepEqual([last?.number, last?.typeGuid, last?.name], [3, partitionTypes.linuxRootX8664, 'root']);
      assert.equal(partitionBytes(plan, plan.root).length, options.rootBytes);
      assert.equal(partitionBytes(plan, plan.esp).length, options.espBytes);
      assert.ok((last?.lastLba ?? Number.POSITIVE_INFINITY) <= gpt.lastUsableLba);
    }),
  );
});

test('a disk of 4096-byte sectors has no BIOS boot partition, and the same numbers', () => {
  const plan = planDisk({ sectorBytes: 4096 });
  assert.equal(plan.biosBoot, null);
  const { head } = encodeGpt(plan);
  assert.deepEqual(
    parseGpt(head, 4096).partitions.map(({ number, typeGuid }) => [number, typeGuid]),
    [
      [2, partitionTypes.esp],
      [3, partitionTypes.linuxRootX8664],
    ],
  );
});

test('an ESP that cannot hold the installer, or is no FAT32 with 4096-byte sectors, is refused', () => {
  const refused = { code: 'image_build_failed' };
  assert.throws(() => planDisk({ sectorBytes: 512, espBytes: 255 * mib }), refused);
  assert.throws(() => planDisk({ sectorBytes: 512, espBytes: 300 * mib + 512 }), refused);
  assert.throws(() => planDisk({ sectorBytes: 4096, espBytes: 256 * mib }), refused);
  assert.throws(() => planDisk({ sectorBytes: 512, rootBytes: 128 * mib }), refused);
  assert.equal(planDisk({ sectorBytes: 512, espBytes: 256 * mib }).sectorBytes, 512);
  assert.ok(defaultEspBytes >= 256 * mib && defaultRootBytes >= 256 * mib);
});

test('the protective MBR covers the disk and ends in its signature', () => {
  const { head } = encodeGpt(planDisk({ sectorBytes: 512 }));
  assert.equal(head[450], 0xee);
  assert.equal(head.readUInt32LE(454), 1);
  assert.equal(head.readUInt32LE(458), planDisk({ sectorBytes: 512 }).diskBytes / 512 - 1);
  assert.equal(head.readUInt16LE(510), 0xaa55);
});

test('GUIDs are written in the mixed byte order of the specification', () => {
  assert.equal(guidBytes('c12a7328-f81f-11d2-ba4b-00a0c93ec93b').toString('hex'), '28732ac11ff8d211ba4b00a0c93ec93b');
});

test('the BIOS core is patched where boot.S and diskboot.S look, and nowhere else', () => {
  const boot = Buffer.alloc(512, 0x11);
  const core = Buffer.alloc(2048, 0x22);
  const patched = patchBiosCore(boot, core, 0x1_0000_0800);
  assert.equal(patched.bootCode.length, 440);
  assert.equal(patched.bootCode.readBigUInt64LE(0x5c), 0x1_0000_0800n);
  assert.equal(patched.bootCode.readUInt16LE(0x66), 0x9090);
  assert.equal(patched.core.readBigUInt64LE(0x1f4), 0x1_0000_0801n);
  const changed = (before: Buffer, after: Buffer): number[] =>
    [...after.keys()].filter((at) => before[at] !== after[at]);
  assert.deepEqual(changed(core, patched.core), [500, 501, 502, 503, 504, 505, 506, 507]);
  assert.ok(changed(boot, patched.bootCode).every((at) => (at >= 0x5c && at < 0x64) || at === 0x66 || at === 0x67));
  assert.equal(core[500], 0x22, 'the input is not changed');
});
