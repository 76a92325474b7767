import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { eraseDisk } from '../../../agent/disk/erase-disk.ts';
import { rawDiskBytes } from '../../../agent/disk/geometry.ts';
import { detectGpt } from '../../../agent/disk/gpt.ts';
import { createImageWriter } from '../../../agent/disk/image-writer.ts';
import { openTarget } from '../../../agent/disk/open-target.ts';
import type { OpenTarget } from '../../../agent/disk/types.ts';
import { readDisk } from '../../../agent/hardware/read-disk.ts';
import type { ProvisionError } from '../../../core/base/errors.ts';
import { Resources } from '../../resources.ts';
import { chunks, ctx } from './install-layer-zero.ts';
import { makeLayerZero } from './layer-zero.ts';

const mib = 1024 ** 2;

for (const [sectorBytes, imageBytes] of [
  [512, 0],
  [512, 40 * mib],
  [4096, 40 * mib],
] as const) {
  const how = imageBytes === 0 ? 'every zero is written' : 'zeros are left to the device';
  test(`F38 dirty disk, image full of zeros: every byte of the image range equals the image (${sectorBytes}, ${how})`, async () => {
    await using resources = new Resources();
    const image = await makeLayerZero(resources, { sectorBytes });
    const dirt = randomBytes(64 * mib);
    const file = resources.sparseFile(64 * mib);
    await writeFile(file, dirt);
    const imageGpt = detectGpt(image.bytes);
    const sizeBytes = rawDiskBytes(imageGpt);
    {
      await using target = await openTarget(file, { ...ctx, sectorBytes });
      const erased = await eraseDisk(target, await readDisk(target.path), { ...ctx, imageBytes });
      assert.equal(erased.zeroed.length, imageBytes === 0 ? 0 : 1);
      // The dirt again, where nobody said that it is zero: what a discard leaves is not to be relied on.
      const from = Math.max(4 * mib, imageBytes);
      await target.write(dirt.subarray(from, 60 * mib), from);
      await pipeline(Readable.from(chunks(image.bytes)), createImageWriter(target, { imageGpt, sizeBytes, erased }));
    }
    const disk = await readFile(file);
    assert.ok(disk.subarray(mib, sizeBytes).equals(image.bytes.subarray(mib, sizeBytes)));
    assert.ok(disk.subarray(0, mib).equals(Buffer.alloc(mib)), 'something was written where the table belongs');
    const after = Math.max(sizeBytes, 4 * mib);
    assert.ok(disk.subarray(after, 60 * mib).equals(dirt.subarray(after, 60 * mib)));
  });
}

for (const how of ['written', 'made by the device'] as const) {
  test(`F60 a disk that runs full while layer 0 is written, zeros ${how}: typed error with offset, no table on it`, async () => {
    await using resources = new Resources();
    // A disk in a filesystem that is smaller than the disk: the loop device answers with EIO or ENOSPC.
    const small = await resources.mount('tmpfs', { type: 'tmpfs', options: 'size=24m' });
    const file = `${small}/disk.raw`;
    await writeFile(file, '');
    await truncate(file, 128 * mib);
    const image = await makeLayerZero(resources);
    image.bytes.fill('data', 8 * mib, 38 * mib);
    const imageGpt = detectGpt(image.bytes);
    const sizeBytes = rawDiskBytes(imageGpt);
    const install = async (target: OpenTarget): Promise<void> => {
      const imageBytes = how === 'written' ? 0 : sizeBytes;
      const erased = await eraseDisk(target, await readDisk(target.path), { ...ctx, imageBytes });
      await pipeline(Readable.from(chunks(image.bytes)), createImageWriter(target, { imageGpt, sizeBytes, erased }));
    };
    {
      await using target = await openTarget(file, ctx);
      await assert.rejects(install(target), (error: ProvisionError) => {
        assert.ok(['device_io', 'device_full'].includes(error.code), error.code);
        assert.equal(error.kind, 'device');
        assert.equal(error.facts['device'], target.path);
        const offset = error.facts['offset_bytes'];
        assert.ok(typeof offset === 'number' && offset >= 0 && offset < sizeBytes, `${offset}`);
        return true;
      });
      if (how === 'written') await assert.rejects(target.flush(), { kind: 'device' });
    }
    assert.ok((await readFile(file)).subarray(0, mib).equals(Buffer.alloc(mib)));
  });
}
