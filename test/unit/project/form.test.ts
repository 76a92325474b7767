import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { test } from 'node:test';
import { sourceFiles } from './source-files.ts';

const warnLines = 250;
const refuseLines = 350;

/** Tables of data, where a limit would only split what belongs together. */
const dataTables = new Set<string>(['control-plane/store/schema.ts']);

test('no file has more than 350 lines, data tables excepted', (context) => {
  const sizes = sourceFiles().map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }));
  const large = sizes.filter(({ path, lines }) => lines > warnLines && !dataTables.has(path));
  for (const { path, lines } of large) context.diagnostic(`${path} has ${lines} lines, more than ${warnLines}`);
  assert.deepEqual(
    large.filter(({ lines }) => lines > refuseLines),
    [],
  );
});

test('file names are kebab-case', () => {
  const names = sourceFiles().map(({ path }) => path);
  const isKebab = (path: string): boolean => /^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.d)?\.ts$/.test(basename(path));
  assert.deepEqual(
    names.filter((path) => !isKebab(path)),
    [],
  );
});

test('nothing is exported as default, and no unfinished work is marked without an issue number', () => {
  // Made here so that this file does not find itself.
  const marks = ['todo', 'fixme'].map((word) => word.toUpperCase()).join('|');
  const patterns = [new RegExp(`^export ${'default'}\\b`, 'm'), new RegExp(`\\b(${marks})\\b(?!\\(#\\d+\\))`)];
  const found = sourceFiles().flatMap(({ path, text }) =>
    patterns.filter((pattern) => pattern.test(text)).map((pattern) => `${path}: ${pattern}`),
  );
  assert.deepEqual(found, []);
});

test('no lint rule is switched off for `any` or `!`', () => {
  const pattern = new RegExp(
    `biome-${'ignore'}[^\\n]*(noExplicitAny|noNonNullAssertion|noDefaultExport)|@ts-${'ignore'}|@ts-${'nocheck'}`,
  );
  assert.deepEqual(
    sourceFiles()
      .filter(({ text }) => pattern.test(text))
      .map(({ path }) => path),
    [],
  );
});

test('external programs are run through core/base only', () => {
  const isProgram = (path: string): boolean => !/^(scripts|test|core\/base)\//.test(path);
  const pattern = /from '(node:child_process|execa)'/;
  const found = sourceFiles().filter(({ path, text }) => isProgram(path) && pattern.test(text));
  assert.deepEqual(
    found.map(({ path }) => path),
    [],
  );
});
