import assert from 'node:assert/strict';
import { test } from 'node:test';
import { warnOfOldKernel } from '../../../../agent/provision/steps/warn-of-old-kernel.ts';

function warningsOn(kernel: string, readBack = false): string[] {
  const warnings: string[] = [];
  warnOfOldKernel({ warn: (message) => void warnings.push(message) }, { readBack }, kernel);
  return warnings;
}

test('F60 a kernel that does not tell of write errors is a warning that names the way out, unless it is taken', () => {
  for (const kernel of ['5.7.19', '5.4.0-200-generic', '4.19.0-27-amd64', '4.18.0-553.el8.x86_64', '3.10.0']) {
    const [warning = '', ...rest] = warningsOn(kernel);
    assert.ok(warning.includes(kernel) && warning.includes('--read-back'), warning);
    assert.deepEqual(rest, []);
    assert.deepEqual(warningsOn(kernel, true), []);
  }
  for (const kernel of ['5.8.0', '5.10.0-33-amd64', '6.1.0-30-amd64', '6.18.44-fc-v669', '10.0.0']) {
    assert.deepEqual(warningsOn(kernel), [], kernel);
  }
});
