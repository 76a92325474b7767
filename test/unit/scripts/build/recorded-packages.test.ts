import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { describeDifference, recordPackages } from '../../../../scripts/build/installer/recorded-packages.ts';
import { Resources } from '../../../resources.ts';

test('packages that are not the recorded ones are named, and nothing is said when they are', async () => {
  await using resources = new Resources();
  const file = join(resources.tempDir(), 'packages');
  assert.match(describeDifference(['a_1.deb'], file) ?? '', /^1 of 1 .*\(a_1\.deb\): the result is not byte for byte/);
  recordPackages(['a_1.deb', 'b_1.deb'], file);
  assert.equal(describeDifference(['b_1.deb', 'a_1.deb'], file), null);
  assert.match(describeDifference(['a_1.deb', 'b_2.deb'], file) ?? '', /^1 of 2 .*\(b_2\.deb\)/);
  assert.match(describeDifference(['a_1.deb'], file) ?? '', /\(b_1\.deb\)/);
  const many = ['a_1.deb', 'b_2.deb', 'c_1.deb', 'd_1.deb', 'e_1.deb'];
  assert.match(describeDifference(many, file) ?? '', /^4 of 5 .*\(b_2\.deb, c_1\.deb, d_1\.deb, …\)/);
});
