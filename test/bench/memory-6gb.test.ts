import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installMeasured } from '../disk/provision/install-measured.ts';

const mib = 1024 ** 2;

/** Needs about 20 GB below the temporary folder. The last result stands in docs/performance.md. */
test('6 GB of incompressible data in 200,000 files: all processes together hold at most 300 MiB', async (context) => {
  const { peak, seconds, entries, fileBytes } = await installMeasured({ files: 200_000, fileBytes: 30_000 });
  const pssMib = peak.pssBytes / mib;
  context.diagnostic(
    `peak ${pssMib.toFixed(0)} MiB of ${peak.samples} samples in ${seconds.toFixed(1)} s: ${peak.parts}`,
  );
  assert.ok(entries >= 200_000, `${entries} entries`);
  assert.ok(fileBytes >= 6_000_000_000, `${fileBytes} bytes`);
  assert.ok(peak.samples >= seconds * 3, `${peak.samples} samples in ${seconds} s`);
  assert.ok(pssMib <= 300, `${pssMib} MiB: ${peak.parts}`);
});
