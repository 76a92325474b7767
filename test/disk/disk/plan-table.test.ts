import assert from 'node:assert/strict';
import { truncate } from 'node:fs/promises';
import { test } from 'node:test';
import { detectGpt, parseBackupGpt } from '../../../agent/disk/gpt.ts';
import { openTarget } from '../../../agent/disk/open-target.ts';
import { planGrownTable } from '../../../agent/disk/plan-table.ts';
import type { GrownTable, SectorBytes } from '../../../agent/disk/types.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { Resources } from '../../resources.ts';
import { ctx, installLayerZero } from './install-layer-zero.ts';
import { type LayerZero, makeLayerZero } from './layer-zero.ts';

const mib = 1024 ** 2;
const tib = 1024 ** 4;

function plan(image: LayerZero, sizeBytes: number, sectorBytes: SectorBytes = 512): Promise<GrownTable> {
  const target = { path: '/dev/test', sizeBytes, sectorBytes };
  const head = image.bytes.subarray(0, mib);
  return planGrownTable({ head, imageGpt: detectGpt(head), rootNumber: 3, target }, ctx);
}

for (const sectorBytes of [512, 4096] as const) {
  test(`F37 the table is planned for disks up to 12 TiB: backup at the end, root grown, the rest unmoved (${sectorBytes})`, async () => {
    await using resources = new Resources();
    const image = await makeLayerZero(resources, { sectorBytes, rootName: 'root “größer”' });
    const old = detectGpt(image.bytes);
    for (const sizeBytes of [300 * mib, 2 * tib + 5 * mib + 4096, 12 * tib]) {
      const { gpt, tail, tailOffsetBytes, head, rootCanGrow } = await plan(image, sizeBytes, sectorBytes);
      assert.ok(rootCanGrow);
      assert.equal(tailOffsetBytes + tail.length, sizeBytes);
      assert.equal(gpt.backupLba, sizeBytes / sectorBytes - 1);
      assert.deepEqual(parseBackupGpt(tail, tailOffsetBytes, sectorBytes).partitions, gpt.partitions);
      assert.ok(head.subarray(0, 440).equals(image.bytes.subarray(0, 440)));
      assert.equal(head.length, mib);
      const root = gpt.partitions.find(({ number }) => number === 3);
      const rootEnd = ((root?.lastLba ?? 0) + 1) * sectorBytes;
      assert.ok(rootEnd % mib === 0 && rootEnd <= tailOffsetBytes && rootEnd > tailOffsetBytes - mib, `${rootEnd}`);
      assert.deepEqual(
        gpt.partitions.map((partition) => ({
          ...partition,
          uniqueGuid: '',
          lastLba: partition.number === 3 ? 0 : partition.lastLba,
        })),
        old.partitions.map((partition) => ({
          ...partition,
          uniqueGuid: '',
          lastLba: partition.number === 3 ? 0 : partition.lastLba,
        })),
      );
      const guids = [gpt, old].flatMap((table) => [
        table.diskGuid,
        ...table.partitions.map(({ uniqueGuid }) => uniqueGuid),
      ]);
      assert.equal(new Set(guids).size, guids.length, 'a GUID is not new');
    }
  });
}

test('F37 a root that another partition follows stays, and the plan says so', async () => {
  await using resources = new Resources();
  const image = await makeLayerZero(resources, { dataMebibytes: 4 });
  const grown = await plan(image, 300 * mib);
  assert.equal(grown.rootCanGrow, false);
  const extents = (table: GrownTable['gpt']): unknown =>
    table.partitions.map(({ firstLba, lastLba }) => [firstLba, lastLba]);
  assert.deepEqual(extents(grown.gpt), extents(detectGpt(image.bytes)));
  assert.equal(grown.gpt.backupLba, (300 * mib) / 512 - 1);
});

test('F37 a disk exactly as large as the image fits, and one sector less does not', async () => {
  await using resources = new Resources();
  const image = await makeLayerZero(resources);
  const same = await plan(image, image.bytes.length);
  assert.equal(same.gpt.backupLba, image.bytes.length / 512 - 1);
  await assert.rejects(plan(image, image.bytes.length - 512), { code: 'disk_too_small', kind: 'input' });
});

test('F36 a 4096-byte disk with a 512-byte image, and the reverse, are refused', async () => {
  await using resources = new Resources();
  const [small, large] = [await makeLayerZero(resources), await makeLayerZero(resources, { sectorBytes: 4096 })];
  await assert.rejects(plan(small, 300 * mib, 4096), { code: 'sector_size_mismatch', message: /made for 512/ });
  await assert.rejects(plan(large, 300 * mib, 512), { code: 'sector_size_mismatch', message: /made for 4096/ });
});

test('what follows the table and precedes the first partition is kept (GRUB stores there, others too)', async () => {
  await using resources = new Resources();
  const image = await makeLayerZero(resources);
  image.bytes.write('what a vendor left here', 512 * 1024);
  const { head } = await plan(image, 300 * mib);
  assert.equal(head.toString('latin1', 512 * 1024, 512 * 1024 + 23), 'what a vendor left here');
});

test('a damaged result is found: nothing but the plan may differ', async () => {
  await using resources = new Resources();
  const image = await makeLayerZero(resources);
  const { assertGrownAsPlanned } = await import('../../../agent/disk/assert-grown.ts');
  const grown = await plan(image, 300 * mib);
  const imageGpt = detectGpt(image.bytes);
  const root = grown.gpt.partitions.find(({ number }) => number === 3);
  const partitionGuids = grown.gpt.partitions.map(({ number, uniqueGuid }) => [number, uniqueGuid] as const);
  const guids = { disk: grown.gpt.diskGuid, partitions: new Map(partitionGuids) };
  const planned = { imageGpt, imageHead: image.bytes.subarray(0, mib), rootLastLba: root?.lastLba ?? 0, guids };
  assertGrownAsPlanned(grown, planned);
  const partitions = (change: object) =>
    grown.gpt.partitions.map((each) => (each.number === 2 ? { ...each, ...change } : each));
  const wrong: readonly Partial<GrownTable>[] = [
    { gpt: { ...grown.gpt, partitions: partitions({ firstLba: 5000 }) } },
    { gpt: { ...grown.gpt, partitions: partitions({ name: 'x' }) } },
    { gpt: { ...grown.gpt, partitions: grown.gpt.partitions.slice(1) } },
    { gpt: { ...grown.gpt, diskGuid: imageGpt.diskGuid } },
    { gpt: imageGpt },
    { head: Buffer.concat([Buffer.alloc(440), grown.head.subarray(440)]) },
    { head: Buffer.concat([grown.head.subarray(0, 40_000), Buffer.alloc(mib - 40_000, 1)]) },
  ];
  for (const [index, change] of wrong.entries()) {
    assert.throws(
      () => assertGrownAsPlanned({ ...grown, ...change }, planned),
      { code: 'invariant' },
      `change ${index}`,
    );
  }
  assert.throws(() => assertGrownAsPlanned(grown, { ...planned, rootLastLba: 1 }), { code: 'invariant' });
});

for (const sectorBytes of [512, 4096] as const) {
  test(`F37 on a sparse 4 TiB disk the root has blocks of 4 KiB, a journal of 64 MiB, and is clean (${sectorBytes})`, async () => {
    await using resources = new Resources();
    const mkfs = ['-b', '4096', '-I', '256', '-i', '16384', '-J', 'size=64', '-O', '^resize_inode,meta_bg'];
    const image = await makeLayerZero(resources, { sectorBytes, rootMebibytes: 256, mkfs });
    const disk = resources.sparseFile(64 * mib);
    await truncate(disk, 4 * tib);
    await using target = await openTarget(disk, { ...ctx, sectorBytes });
    const { root, table, partitions } = await installLayerZero(target, image);
    assert.equal(root.how, 'grown');
    assert.equal(root.blockBytes, 4096);
    assert.ok((root.journalBytes ?? 0) >= 64 * mib);
    const partition = table.gpt.partitions.find(({ number }) => number === 3);
    const partitionBytes = ((partition?.lastLba ?? 0) - (partition?.firstLba ?? 0) + 1) * sectorBytes;
    assert.equal(root.sizeBytes, partitionBytes);
    assert.ok(partitionBytes > 4 * tib - 10 * mib);
    await runCommand('e2fsck', ['-fn', partitions.get(3) ?? '']);
    const { stdout } = await runCommand('sgdisk', ['-v', target.path]);
    assert.match(stdout, /No problems found/);
  });
}
