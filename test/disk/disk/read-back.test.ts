import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { ImageHashes } from '../../../agent/disk/image-hashes.ts';
import { openTarget } from '../../../agent/disk/open-target.ts';
import { readBackImage } from '../../../agent/disk/read-back.ts';
import { compareFiles, noteFiles } from '../../../agent/provision/steps/read-back-files.ts';
import type { StepContext } from '../../../agent/provision/types.ts';
import { ProvisionError } from '../../../core/base/errors.ts';
import { silentLogger } from '../../../core/base/logger.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { smallestSystem } from '../../builders/boot-image.ts';
import { openInstalledDisk } from '../../builders/installed-disk.ts';
import { writeLayout } from '../../builders/oci-image.ts';
import { provisionHere } from '../../builders/provision-here.ts';
import { buildTar } from '../../builders/tar-builder.ts';
import { Resources } from '../../resources.ts';
import { makeLayerZero } from './layer-zero.ts';

const mib = 1024 * 1024;
const signal = new AbortController().signal;
const ctx: StepContext = {
  step: 'sync_and_reboot',
  signal,
  log: silentLogger,
  progress: () => undefined,
  warn: () => undefined,
  setDiskState: () => undefined,
};

const isMismatch = (at: Record<string, unknown>) => (error: unknown) => {
  assert.ok(error instanceof ProvisionError);
  assert.equal(error.code, 'read_back_mismatch');
  for (const [name, value] of Object.entries(at)) assert.equal(error.facts[name], value);
  return true;
};

/** Changes one byte of the file behind a loop device, as a broken disk would: the kernel is not told. */
function corrupt(file: string, offsetBytes: number): void {
  const fd = openSync(file, 'r+');
  try {
    writeSync(fd, Buffer.from([0xa5]), 0, 1, offsetBytes);
  } finally {
    closeSync(fd);
  }
}

test('F40 read-back of layer 0 finds one changed byte on the medium, and says where', async () => {
  await using resources = new Resources();
  const file = resources.sparseFile(64 * mib);
  const image = Buffer.alloc(10 * mib, Buffer.from('durantic read-back '));
  const hashes = new ImageHashes([{ offsetBytes: 0, lengthBytes: mib }]);
  await using target = await openTarget(file, { signal, log: silentLogger });
  let position = 0;
  const writer = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      target.write(chunk, position).then(() => done(), done);
      position += chunk.length;
    },
  });
  await pipeline(Readable.from(chunks(image, 777_777)), hashes, writer);
  await readBackImage(target, hashes.ranges, { signal });
  // Held back, so nobody compares it.
  corrupt(file, 1000);
  await readBackImage(target, hashes.ranges, { signal });
  corrupt(file, 9 * mib + 17);
  await assert.rejects(readBackImage(target, hashes.ranges, { signal }), isMismatch({ offset_bytes: 8 * mib }));
});

test('F40 read-back of the files finds one changed byte on the medium, and names the file', async () => {
  await using resources = new Resources();
  const file = resources.sparseFile(64 * mib);
  await runCommand('mkfs.ext4', ['-q', file]);
  const device = await resources.loop(file);
  const content = createHash('sha256').update('seed').digest();
  const mount = { rootDevice: device, rootType: 'ext4', boot: null, log: silentLogger, signal };
  const root = await resources.mount(device);
  for (const name of ['a', 'b', 'c']) writeFileSync(join(root, name), Buffer.alloc(300_000, content));
  using notes = await noteFiles(ctx, root);
  await runCommand('umount', [root]);
  await compareFiles(ctx, notes, { mount, disk: device });

  const blocks = await runCommand('debugfs', ['-R', 'blocks /b', file]);
  const block = Number(blocks.stdout.trim().split(/\s+/)[3]);
  const blockBytes = Number(/^Block size:\s+(\d+)$/m.exec((await runCommand('dumpe2fs', ['-h', file])).stdout)?.[1]);
  corrupt(file, block * blockBytes + 5);
  await assert.rejects(compareFiles(ctx, notes, { mount, disk: device }), isMismatch({ path: 'b' }));
});

test('F40 read-back takes files with space that was never written for what they are', async () => {
  await using resources = new Resources();
  const folder = resources.tempDir();
  writeFileSync(join(folder, 'system.tar'), buildTar(smallestSystem));
  await runCommand('tar', ['--extract', '--file', join(folder, 'system.tar'), '--directory', folder]);
  rmSync(join(folder, 'system.tar'));
  const { file, rootOffsetBytes, rootBytes } = await makeLayerZero(resources, { rootMebibytes: 120, rootFrom: folder });
  {
    await using inner = new Resources();
    const options = `loop,offset=${rootOffsetBytes},sizelimit=${rootBytes}`;
    const root = await inner.mount(file, { options });
    // A swap file, a database's, and one with room behind its end: most of what the root takes.
    await runCommand('fallocate', ['--length', '70MiB', join(root, 'swapfile')]);
    writeFileSync(join(root, 'data'), Buffer.alloc(300_000, 'data'));
    await runCommand('fallocate', ['--length', '10MiB', join(root, 'data')]);
    writeFileSync(join(root, 'small'), 'x');
    await runCommand('fallocate', ['--keep-size', '--length', '10MiB', join(root, 'small')]);
    assert.ok(statSync(join(root, 'small')).blocks * 512 >= 10 * mib);
  }
  const { reference } = await writeLayout(resources.tempDir(), { layers: [{ file, codec: 'zstd' }] });
  const disk = resources.sparseFile(200 * mib);
  const { exitCode, last } = await provisionHere({ image: reference, disk, request: { readBack: true } });
  assert.equal(exitCode, 0, last?.message ?? '');
  const installed = await openInstalledDisk(resources, disk);
  const root = await resources.mount(installed.partition('root').device, { options: 'ro' });
  assert.ok(statSync(join(root, 'swapfile')).blocks * 512 >= 70 * mib, 'the space is still taken, and not written');
});

function* chunks(buffer: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < buffer.length; at += size) yield buffer.subarray(at, at + size);
}
