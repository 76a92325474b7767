import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installMeasured } from './install-measured.ts';

const mib = 1024 ** 2;

test('600 MB of incompressible data in 20,000 files: all processes together hold at most 300 MiB', async (context) => {
  const { peak, seconds, entries, fileBytes } = await installMeasured({ files: 20_000, fileBytes: 30_000 });
  const pssMib = peak.pssBytes / mib;
  context.diagnostic(
    `peak ${pssMib.toFixed(0)} MiB of ${peak.samples} samples in ${seconds.toFixed(1)} s: ${peak.parts}`,
  );
  assert.ok(entries >= 20_000, `${entries} entries`);
  assert.ok(fileBytes >= 600_000_000, `${fileBytes} bytes`);
  // One every 100 ms, on a machine that does other things too.
  assert.ok(peak.samples >= seconds * 3, `${peak.samples} samples in ${seconds} s`);
  assert.ok(pssMib > 30, 'something was measured');
  assert.ok(pssMib <= 300, `${pssMib} MiB: ${peak.parts}`);
});
