import assert from 'node:assert/strict';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { noise } from '../../builders/boot-image.ts';
import { provision } from '../../builders/provision.ts';
import { buildTar } from '../../builders/tar-builder.ts';
import {
  assertNotBootable,
  assertNothingHeld,
  diskBytes,
  writeSmallImage,
} from '../../net/provision/faulty-install.ts';
import { Resources } from '../../resources.ts';

test('F60 layers that do not fit on the root: an error with the entry, a partial disk that nothing boots', async () => {
  await using own = new Resources();
  const files = Array.from({ length: 40 }, (_, index) => ({ name: `big-${index}`, data: noise(5_000_000, index) }));
  const big = await writeSmallImage(own, (layers) => [...layers, { bytes: buildTar(files), codec: 'none' }]);
  const file = own.sparseFile(diskBytes);
  const { exitCode, last } = await provision({ image: big.reference, disk: file });
  assert.deepEqual([exitCode, last?.code, last?.disk_state], [6, 'root_full', 'partial'], last?.message ?? '');
  assert.match(last?.message ?? '', /layer 4 .*big-\d/);
  await assertNotBootable(file);
  await assertNothingHeld(file);
});

test('F60 a disk file on a filesystem that is full: an error of the device, and nothing bootable', async () => {
  await using own = new Resources();
  const { reference } = await writeSmallImage(own);
  const folder = await own.mount('none', { type: 'tmpfs', options: 'size=24M' });
  const file = join(folder, 'disk.raw');
  writeFileSync(file, '');
  truncateSync(file, diskBytes);
  const { exitCode, last } = await provision({ image: reference, disk: file });
  assert.equal(exitCode, 6, last?.message ?? '');
  assert.match(last?.code ?? '', /^device_(full|io)$/);
  await assertNothingHeld(file);
  await assertNotBootable(file);
});
