import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { errorCodes, exitCodeOfKind } from '../../../core/base/error-codes.ts';
import { glibcFloor } from '../../../protocol/bundle-manifest.ts';
import { parseKernelParameters } from '../../../protocol/kernel-parameters.ts';
import { repoDir } from './source-files.ts';

const read = (path: string): string => readFileSync(join(repoDir, path), 'utf8');

const documents = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'],
  ...readdirSync(join(repoDir, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

/** Rows of the Markdown table that has the given first heading. */
function tableRows(text: string, firstHeading: string): string[][] {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${firstHeading} |`));
  assert.notEqual(start, -1, `no table that begins with ${firstHeading}`);
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('|'));
  return lines.slice(start + 2, end === -1 ? undefined : end).map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );
}

test('docs/errors.md has one complete row for every error code, with its kind', () => {
  const rows = tableRows(read('docs/errors.md'), 'code');
  const documented = Object.fromEntries(rows.map(([code = '', kind]) => [code.replaceAll('`', ''), kind]));
  assert.deepEqual(documented, { ...errorCodes });
  assert.equal(rows.length, Object.keys(errorCodes).length, 'a code has two rows');
  for (const row of rows) {
    assert.equal(row.length, 5, `not five cells: ${row[0]}`);
    assert.ok(
      row.every((cell) => cell !== ''),
      `an empty cell: ${row[0]}`,
    );
  }
});

test('exit codes in docs/errors.md and README are those of the program', () => {
  for (const path of ['docs/errors.md', 'README.md']) {
    const rows = tableRows(read(path), 'kind');
    const documented = Object.fromEntries(rows.map((row) => [row[0]?.replaceAll('`', ''), Number(row.at(-1))]));
    assert.deepEqual(documented, { ...exitCodeOfKind }, path);
  }
});

test('README states the glibc that the program is checked for', () => {
  const stated = /glibc (\d+\.\d+)/.exec(read('README.md'))?.[1];
  assert.equal(stated, glibcFloor);
});

test('every relative link in the documents leads somewhere', () => {
  const broken = documents.flatMap((path) =>
    [...read(path).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
      .map((match) => join(dirname(path), match[1] ?? ''))
      .filter((target) => !existsSync(join(repoDir, target)))
      .map((target) => `${path} → ${target}`),
  );
  assert.deepEqual(broken, []);
});

test('every decision record has its number, title, date, question and answer', () => {
  const names = readdirSync(join(repoDir, 'docs', 'adr')).sort();
  assert.ok(names.length > 0);
  names.forEach((name, index) => {
    assert.match(name, new RegExp(`^${String(index + 1).padStart(4, '0')}-[a-z0-9-]+\\.md$`), 'numbers have no gaps');
    const text = read(join('docs', 'adr', name));
    for (const part of [/^# \d+\. .+/, /^Date: \d{4}-\d\d-\d\d$/m, /^## Question$/m, /^## Chosen$/m]) {
      assert.match(text, part, `${name} lacks ${part}`);
    }
  });
});

/** What is wrong with a kernel parameter that a reader may copy: the installer does not take it, or has no such link. */
function problemsOf(parameter: string): string[] {
  const { parameters, problems, unknown } = parseKernelParameters(parameter);
  const names = [parameters.interface, ...parameters.addresses.map((ip) => ip.interface)];
  // There is no udev in the installer: the kernel's own names, or a MAC address.
  const foreign = names.filter(
    (name) => name !== null && !/^(eth\d+(\.\d+)?|([0-9a-f]{2}:){5}[0-9a-f]{2})$/.test(name),
  );
  return [...problems, ...unknown, ...foreign.map((name) => `${name} is no link of the installer`)];
}

test('every ip= and durantic.interface= in the documents is one that the installer takes, for a link that it can have', () => {
  const examples = documents.flatMap((path) =>
    // Words in capitals, and what ends with dots, stand for a value.
    [...read(path).matchAll(/(?<![\w.])(?:ip|durantic\.interface)=(?![A-Z]+\b)[^\s`"…]+/g)].map(([parameter]) => ({
      path,
      parameter,
      problems: problemsOf(parameter),
    })),
  );
  assert.ok(examples.length >= 4, `found only ${examples.length}`);
  assert.deepEqual(
    examples.filter(({ problems }) => problems.length > 0),
    [],
  );
  assert.equal(problemsOf('ip=10.0.0.7::10.0.0.1:24:web-1:eno1:none').length, 1);
  assert.equal(problemsOf('ip=10.0.0.7::10.0.0.1').length, 1);
});
