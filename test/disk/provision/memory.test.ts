import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installManyFiles } from '../../builders/install-many-files.ts';
import { Resources } from '../../resources.ts';

const mib = 1024 * 1024;

test('F13 600 MB of incompressible data in 20,000 files need at most 300 MiB of memory, all processes together', async (t) => {
  await using resources = new Resources();
  const { peak, seconds, entries } = await installManyFiles(resources, {
    files: 20_000,
    fileBytes: 30_000,
    diskBytes: 4 * 1024 * mib,
  });
  t.diagnostic(
    `peak ${Math.round(peak.bytes / mib)} MiB in ${peak.samples} samples, ${seconds.toFixed(1)} s, ${entries} entries`,
  );
  assert.ok(entries >= 20_000, `${entries} entries`);
  assert.ok(peak.samples >= 10, `only ${peak.samples} samples`);
  assert.ok(peak.bytes > 50 * mib, 'a process of Node cannot be that small: nothing was measured');
  assert.ok(peak.bytes <= 300 * mib, `peak ${peak.bytes} bytes`);
});
