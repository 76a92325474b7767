import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findLeaks, runMarker } from '../../../../scripts/testing/leaks.ts';
import { Resources, waitFor } from '../../../resources.ts';

test('a process that carries the mark of the run is found and can be ended', async () => {
  await using resources = new Resources();
  const tempDir = resources.tempDir();
  const runId = `leaks-test-${process.pid}`;
  const child = resources.spawn('sleep', ['60'], { env: { ...process.env, [runMarker]: runId } });
  await waitFor('the process', () => child.pid !== undefined);
  const leaks = await findLeaks(runId, tempDir, 0);
  assert.deepEqual(
    leaks.map(({ what }) => what),
    [`process ${child.pid}: sleep 60`],
  );
  await leaks[0]?.remove();
  await waitFor('its end', () => child.signalCode === 'SIGKILL');
  assert.deepEqual(await findLeaks(runId, tempDir), []);
});

test('what lies in the temporary folder is found and taken away, except where the binary keeps its parts', async () => {
  await using resources = new Resources();
  const tempDir = resources.tempDir();
  mkdirSync(join(tempDir, 'durantic-test-abc', 'deep'), { recursive: true });
  mkdirSync(join(tempDir, `durantic-${process.geteuid?.()}`));
  writeFileSync(join(tempDir, 'file'), '');
  const leaks = await findLeaks('nobody', tempDir);
  assert.deepEqual(leaks.map(({ what }) => what).sort(), [
    'durantic-test-abc in the temporary folder',
    'file in the temporary folder',
  ]);
  for (const { remove } of leaks) await remove();
  assert.deepEqual(await findLeaks('nobody', tempDir), []);
});
