import assert from 'node:assert/strict';
import { open, readFile, stat } from 'node:fs/promises';
import { test } from 'node:test';
import { commitTable } from '../../../agent/disk/commit-table.ts';
import { parseBackupGpt, parseGpt } from '../../../agent/disk/gpt.ts';
import { openTarget } from '../../../agent/disk/open-target.ts';
import type { GrownTable, OpenTarget } from '../../../agent/disk/types.ts';
import { readDisk } from '../../../agent/hardware/read-disk.ts';
import { ProvisionError } from '../../../core/base/errors.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { Resources } from '../../resources.ts';
import { ctx, installUncommitted, proofFor } from './install-layer-zero.ts';
import { makeLayerZero } from './layer-zero.ts';

const mib = 1024 ** 2;

interface Recorded {
  readonly target: OpenTarget;
  readonly calls: string[];
}

/** The target with its writes and flushes recorded; `failAt` makes the call of that number fail as a bad device does. */
function recorded(real: OpenTarget, failAt = -1): Recorded {
  const calls: string[] = [];
  const step = (call: string): void => {
    calls.push(call);
    if (calls.length - 1 === failAt) throw new ProvisionError('device_io', 'scripted', { facts: { offset_bytes: 0 } });
  };
  const target: OpenTarget = {
    ...real,
    write: async (buffer, offsetBytes) => {
      step(`write ${offsetBytes}+${buffer.length}`);
      await real.write(buffer, offsetBytes);
    },
    flush: async () => {
      step('flush');
      await real.flush();
    },
  };
  return { target, calls };
}

const head = (file: string): Promise<Buffer> => readFile(file).then((bytes) => bytes.subarray(0, mib));

for (const sectorBytes of [512, 4096] as const) {
  test(`both tables are written and flushed before LBA 0, which is written alone (${sectorBytes})`, async () => {
    await using resources = new Resources();
    const image = await makeLayerZero(resources, { sectorBytes });
    const file = resources.sparseFile(200 * mib);
    await using real = await openTarget(file, { ...ctx, sectorBytes });
    const { table } = await installUncommitted(real, image);
    await real.flush();
    assert.ok((await real.read(0, mib)).equals(Buffer.alloc(mib)), 'the head was written before the commit');
    assert.ok((await real.read(199 * mib, mib)).equals(Buffer.alloc(mib)), 'the tail was written before the commit');
    const { target, calls } = recorded(real);
    const proof = await proofFor(target, table);
    calls.length = 0;
    const result = await commitTable(target, table, { ...ctx, proof });
    const tail = table.tail.length;
    assert.deepEqual(calls, [
      'flush',
      `write ${200 * mib - tail}+${tail}`,
      `write ${sectorBytes}+${mib - sectorBytes}`,
      'flush',
      `write 0+${sectorBytes}`,
      'flush',
    ]);
    // This kernel cannot read GPT; what it could not find is not registered unless asked for.
    if (!result.kernelReadTable) assert.equal((await readDisk(target.path)).partitions.length, 0);
    assert.deepEqual(parseGpt(await real.read(0, mib), sectorBytes).partitions, table.gpt.partitions);
    const backup = await real.read(200 * mib - tail, tail);
    assert.deepEqual(parseBackupGpt(backup, 200 * mib - tail, sectorBytes).partitions, table.gpt.partitions);
    assert.match((await runCommand('sgdisk', ['-v', target.path])).stdout, /No problems found/);
  });
}

test('F60 a commit that fails anywhere before LBA 0 is on the medium leaves a disk without a protective MBR', async () => {
  await using resources = new Resources();
  const image = await makeLayerZero(resources);
  const file = resources.sparseFile(200 * mib);
  await using real = await openTarget(file, ctx);
  const { table } = await installUncommitted(real, image);
  for (const failAt of [0, 1, 2, 3, 4]) {
    // One call, the flush of the verification itself, comes before.
    const { target, calls } = recorded(real, failAt + 1);
    const proof = await proofFor(target, table);
    await assert.rejects(commitTable(target, table, { ...ctx, proof }), (error: ProvisionError) => {
      assert.equal(error.code, 'device_io');
      assert.equal(error.diskState, undefined);
      return true;
    });
    assert.equal(calls.length, failAt + 2);
    await real.flush();
    assert.ok((await head(file)).subarray(0, 512).equals(Buffer.alloc(512)), `failure at call ${failAt}`);
  }
});

test('F30 a failure after the commit, when the table cannot be re-read, says that the disk is complete', async () => {
  await using resources = new Resources();
  const image = await makeLayerZero(resources);
  const device = await resources.loop(resources.sparseFile(200 * mib));
  await using target = await openTarget(device, ctx);
  const { table, partitions } = await installUncommitted(target, image);
  const proof = await proofFor(target, table);
  const handle = await open(partitions.get(2) ?? '', 'r');
  const holder = resources.spawn('sleep', ['600'], { stdio: ['ignore', 'ignore', 'ignore', handle.fd] });
  await handle.close();
  await assert.rejects(commitTable(target, table, { ...ctx, proof }), {
    code: 'disk_busy',
    diskState: 'complete',
    message: new RegExp(`forgetting partition 2 of ${device} .* held by .*\\(pid ${holder.pid}\\)`),
  });
  assert.deepEqual(parseGpt(await target.read(0, mib), 512).partitions, table.gpt.partitions);
  holder.kill();
});

test('a proof is good for its own target and table only, and for no mounted disk', async () => {
  await using resources = new Resources();
  const image = await makeLayerZero(resources);
  const file = resources.sparseFile(200 * mib);
  await using target = await openTarget(file, ctx);
  const { table, partitions } = await installUncommitted(target, image);
  {
    await using inner = new Resources();
    await inner.mount(partitions.get(3) ?? '');
    await assert.rejects(proofFor(target, table), {
      code: 'disk_busy',
      message: /still in use before the commit.*mounted at/,
    });
  }
  const proof = await proofFor(target, table);
  const other: GrownTable = { ...table };
  await assert.rejects(commitTable(target, other, { ...ctx, proof }), { code: 'invariant' });
  await assert.rejects(commitTable(recorded(target).target, table, { ...ctx, proof }), { code: 'invariant' });
  assert.ok((await head(file)).equals(Buffer.alloc(mib)));
  const committed = await commitTable(target, table, { ...ctx, proof, registerUnread: true });
  assert.deepEqual([...committed.partitions.keys()], [1, 2, 3]);
  for (const path of committed.partitions.values()) assert.ok((await stat(path)).isBlockDevice());
});

test('a partition that ends in the same page as the backup table begins keeps its last bytes', async () => {
  await using resources = new Resources();
  const image = await makeLayerZero(resources);
  // A disk as large as the image: the backup table is 33 sectors, which begins in the middle of a page.
  const sizeBytes = image.bytes.length;
  const file = resources.sparseFile(sizeBytes);
  await using target = await openTarget(file, ctx);
  const { table, partitions } = await installUncommitted(target, image);
  const { registerPartitions } = await import('../../../agent/disk/register-partitions.ts');
  const gpt = table.gpt;
  const lastLba = table.tailOffsetBytes / 512 - 1;
  const widened = {
    ...gpt,
    partitions: gpt.partitions.map((each) => (each.number === 3 ? { ...each, lastLba } : each)),
  };
  await target.read(table.tailOffsetBytes - 4096, 8192);
  await registerPartitions(target, widened, ctx);
  const lengthBytes = (lastLba + 1) * 512 - 6 * mib;
  {
    await using partition = await open(partitions.get(3) ?? '', 'r+');
    await partition.write(Buffer.alloc(512, 'last sector '), 0, 512, lengthBytes - 512);
    await partition.sync();
  }
  const proof = await proofFor(target, table);
  await commitTable(target, table, { ...ctx, proof });
  const bytes = await readFile(file);
  assert.equal(bytes.toString('latin1', table.tailOffsetBytes - 512, table.tailOffsetBytes - 501), 'last sector');
});
