import assert from 'node:assert/strict';
import { linkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { listTree } from '../../../../agent/rootfs/tree-list.ts';
import { Resources } from '../../../resources.ts';

const { signal } = new AbortController();

test('F40 only what is not zero counts as read from the device: zeros may be unwritten extents or holes', async () => {
  await using resources = new Resources();
  const root = resources.tempDir();
  const file = (name: string): string => join(root, name);
  writeFileSync(file('data'), Buffer.alloc(300_000, 'data'));
  writeFileSync(file('zeros'), Buffer.alloc(300_000));
  writeFileSync(file('mixed'), Buffer.concat([Buffer.alloc(2_000_000), Buffer.from('end')]));
  writeFileSync(file('sparse'), 'begin');
  truncateSync(file('sparse'), 5_000_000);
  writeFileSync(file('linked'), Buffer.alloc(9000, 'x'));
  linkSync(file('linked'), file('other-name'));
  const own = new Map<string, number>();
  for await (const listed of listTree(root, signal)) own.set(listed.path, listed.ownDeviceBytes);
  // The last block of `mixed` begins at 488 times 4096, in its second MiB.
  const mixed = 2_000_003 - 488 * 4096;
  assert.deepEqual(Object.fromEntries(own), {
    ...{ data: 300_000, linked: 0, mixed, 'other-name': 0, sparse: 4096, zeros: 0 },
  });
});
