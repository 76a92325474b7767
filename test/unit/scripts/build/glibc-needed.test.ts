import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareVersions, highestGlibc } from '../../../../scripts/build/glibc-needed.ts';

const line = (name: string): string => `  0x0010:   Name: ${name}  Flags: none  Version: 5`;

test('the highest version counts, as numbers', () => {
  assert.equal(highestGlibc([line('GLIBC_2.4'), line('GLIBC_2.28'), line('GLIBC_2.2.5')].join('\n')), '2.28');
  assert.equal(highestGlibc([line('GLIBCXX_3.4.30'), line('GLIBC_2.17'), line('GLIBC_PRIVATE')].join('\n')), '2.17');
});

test('packed relocations need the loader of 2.36', () => {
  assert.equal(highestGlibc([line('GLIBC_2.4'), line('GLIBC_ABI_DT_RELR')].join('\n')), '2.36');
});

test('versions are compared part by part', () => {
  assert.ok(compareVersions('2.28', '2.4') > 0);
  assert.ok(compareVersions('2.28', '3.0') < 0);
  assert.equal(compareVersions('2.28', '2.28.0'), 0);
});
