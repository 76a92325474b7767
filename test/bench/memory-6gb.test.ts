import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installManyFiles } from '../builders/install-many-files.ts';
import { Resources } from '../resources.ts';

const mib = 1024 * 1024;

/** By hand: `./scripts/test test/bench/memory-6gb.test.ts`; the last result is in docs/performance.md. */
test('6 GB of incompressible data in 200,000 files need no more memory than 600 MB', async (t) => {
  await using resources = new Resources();
  const { peak, seconds, entries } = await installManyFiles(resources, {
    files: 200_000,
    fileBytes: 30_000,
    diskBytes: 16 * 1024 * mib,
  });
  t.diagnostic(
    `peak ${Math.round(peak.bytes / mib)} MiB in ${peak.samples} samples, ${seconds.toFixed(1)} s, ${entries} entries`,
  );
  assert.ok(entries >= 200_000, `${entries} entries`);
  assert.ok(peak.bytes <= 300 * mib, `peak ${peak.bytes} bytes`);
});
