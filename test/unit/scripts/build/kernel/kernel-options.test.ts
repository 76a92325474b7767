import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatKernelOptions,
  joinFragments,
  parseKernelOptions,
} from '../../../../../scripts/build/kernel/kernel-options.ts';

test('values, negations, numbers and texts are read, comments are not', () => {
  const text = '# why\nCONFIG_A=y\n# CONFIG_B is not set\n\nCONFIG_C=0x1000\nCONFIG_D="a b"\n# CONFIG_E stays off\n';
  assert.deepEqual(
    parseKernelOptions('f', text).map(({ name, value }) => [name, value]),
    [
      ['CONFIG_A', 'y'],
      ['CONFIG_B', 'n'],
      ['CONFIG_C', '0x1000'],
      ['CONFIG_D', '"a b"'],
    ],
  );
});

for (const line of [
  'CONFIG_A=m',
  'CONFIG_A',
  'A=y',
  'CONFIG_A = y',
  'CONFIG_A=n',
  ' CONFIG_A=y',
  '#CONFIG_A is not set',
  '# CONFIG_A is not set ',
]) {
  test(`"${line}" is refused: Kconfig would do something else or nothing`, () => {
    assert.throws(() => parseKernelOptions('30.config', `# x\n${line}\n`), /^Error: 30\.config:2 /);
  });
}

test('an option that stands in two fragments is refused with both names', () => {
  const fragments = ['a.config', 'b.config'].map((file) => parseKernelOptions(file, 'CONFIG_A=y\n'));
  assert.throws(() => joinFragments(fragments), /CONFIG_A stands in a\.config and again in b\.config/);
});

test('comments and order do not change the text that a build is keyed by, a value does', () => {
  const text = (input: string): string => formatKernelOptions(parseKernelOptions('f', input));
  assert.equal(text('CONFIG_B=y\n# why\n# CONFIG_A is not set\n'), '# CONFIG_A is not set\nCONFIG_B=y\n');
  assert.equal(text('# CONFIG_A is not set\nCONFIG_B=y\n'), text('CONFIG_B=y\n# other words\n# CONFIG_A is not set\n'));
  assert.notEqual(text('CONFIG_A=1\n'), text('CONFIG_A=2\n'));
});
