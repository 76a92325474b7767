import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { linkKernel } from '../../scripts/build/kernel/link-kernel.ts';
import { Resources } from '../resources.ts';

test('the same archive gives the same kernel, whatever was built in between; another one gives another', async (context) => {
  await using resources = new Resources();
  const folder = resources.tempDir();
  const common = { print: (line: string) => context.diagnostic(line), signal: AbortSignal.timeout(3_600_000) };
  const link = async (name: string, content: string, out: string) => {
    const initramfs = join(folder, `${name}.cpio.zst`);
    writeFileSync(initramfs, zstdCompressSync(Buffer.from(content)));
    const linked = await linkKernel({ ...common, initramfs, out: join(folder, out) });
    context.diagnostic(
      `${name}: ${linked.isNew ? `${linked.linkSeconds.toFixed(1)} s` : 'unchanged'}, ${linked.sizeBytes}`,
    );
    return linked;
  };
  const first = await link('A', 'the first archive'.repeat(1000), 'first');
  const second = await link('B', 'another archive'.repeat(5000), 'second');
  const third = await link('A', 'the first archive'.repeat(1000), 'third');
  const fourth = await link('A', 'the first archive'.repeat(1000), 'fourth');
  assert.notEqual(second.sha256, first.sha256);
  assert.equal(third.sha256, first.sha256);
  assert.deepEqual(readFileSync(third.file), readFileSync(first.file));
  assert.deepEqual([second.isNew, third.isNew, fourth.isNew], [true, true, false]);
  assert.equal(fourth.sha256, first.sha256);
});

test('a file that is no zstd archive is refused before anything is linked', async () => {
  await using resources = new Resources();
  const initramfs = join(resources.tempDir(), 'plain.cpio');
  writeFileSync(initramfs, '070701');
  const signal = AbortSignal.timeout(10_000);
  const out = join(resources.tempDir(), 'out');
  await assert.rejects(linkKernel({ initramfs, out, signal, print: () => undefined }), /is no zstd file/);
});
