import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkKernelOptions } from '../../../../../scripts/build/kernel/check-kernel-options.ts';
import { parseKernelOptions } from '../../../../../scripts/build/kernel/kernel-options.ts';

const config = ['CONFIG_IGB=y', '# CONFIG_SOUND is not set', 'CONFIG_NR_CPUS=64', 'CONFIG_CMDLINE="quiet"', ''].join(
  '\n',
);

function check(text: string, file = 'a.config'): string[] {
  return checkKernelOptions(parseKernelOptions(file, text), config);
}

test('options that hold say nothing, and "not set" holds by a line as well as by absence', () => {
  assert.deepEqual(check('CONFIG_IGB=y\nCONFIG_NR_CPUS=64\nCONFIG_CMDLINE="quiet"\n'), []);
  assert.deepEqual(check('# CONFIG_SOUND is not set\n# CONFIG_MODULES is not set\n'), []);
});

test('an option that Kconfig dropped without a word is named with the file that wants it', () => {
  assert.deepEqual(check('CONFIG_ICE=y\n'), ['CONFIG_ICE: wanted y, is not set (a.config)']);
});

test('another value is a difference: a number, a text, on instead of off, off instead of on', () => {
  assert.deepEqual(check('CONFIG_NR_CPUS=512\nCONFIG_CMDLINE="debug"\n# CONFIG_IGB is not set\nCONFIG_SOUND=y\n'), [
    'CONFIG_NR_CPUS: wanted 512, is 64 (a.config)',
    'CONFIG_CMDLINE: wanted "debug", is "quiet" (a.config)',
    'CONFIG_IGB: wanted not set, is y (a.config)',
    'CONFIG_SOUND: wanted y, is not set (a.config)',
  ]);
});

test('a prefix of a name is another option', () => {
  assert.deepEqual(checkKernelOptions(parseKernelOptions('a.config', 'CONFIG_IGB=y\n'), 'CONFIG_IGBVF=y\n'), [
    'CONFIG_IGB: wanted y, is not set (a.config)',
  ]);
});

test('an option that several files want is one problem that names them all', () => {
  const wanted = ['required.config', 'fragments/30-network.config'].flatMap((file) =>
    parseKernelOptions(file, 'CONFIG_ICE=y\n'),
  );
  assert.deepEqual(checkKernelOptions(wanted, config), [
    'CONFIG_ICE: wanted y, is not set (required.config, fragments/30-network.config)',
  ]);
});
