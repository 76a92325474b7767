import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { findLeaks, runMarker } from '../../../../scripts/testing/leaks.ts';
import { addNamespace } from '../../../builders/add-namespace.ts';
import { Resources } from '../../../resources.ts';

/** As a test of that run makes it, which forgets to delete it. */
async function leave(runId: string): Promise<string> {
  const before = process.env[runMarker];
  process.env[runMarker] = runId;
  try {
    // Never disposed of.
    return await addNamespace(new Resources(), 'lan');
  } finally {
    if (before === undefined) delete process.env[runMarker];
    else process.env[runMarker] = before;
  }
}

test('a network namespace that is left is found and taken away; those of a run beside it are not touched', async () => {
  await using resources = new Resources();
  const tempDir = resources.tempDir();
  const [own, other] = [`leaks-${process.pid}`, `leaks-${process.pid}0`];
  const [left, foreign] = [await leave(own), await leave(other)];
  resources.defer('the other run ends', async () => {
    for (const { remove } of await findLeaks(other, tempDir, 0)) await remove();
    assert.ok(!existsSync(`/run/netns/${foreign}`));
  });
  const leaks = await findLeaks(own, tempDir, 0);
  assert.deepEqual(
    leaks.map(({ what }) => what),
    [`network namespace ${left}`],
  );
  for (const { remove } of leaks) await remove();
  assert.deepEqual(await findLeaks(own, tempDir, 0), []);
  assert.ok(!existsSync(`/run/netns/${left}`) && existsSync(`/run/netns/${foreign}`));
});
