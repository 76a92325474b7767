import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../../core/base/run-command.ts';
import { runSuite, type SuiteResult } from '../../../../scripts/testing/run-suite.ts';
import { Resources } from '../../../resources.ts';

const runner = new URL('../../../../scripts/testing/run-suite.ts', import.meta.url).pathname;

const limits = { concurrency: 1, testTimeoutMs: 20_000, deadlineMs: 20_000, usesBinary: false };

/** Runs test files in a process of its own (node:test does not nest), beside one that passes. */
async function runFiles(files: Readonly<Record<string, string>>): Promise<SuiteResult & { readonly lines: string[] }> {
  await using resources = new Resources();
  const dir = resources.tempDir();
  const all = { 'good.test.ts': "import { test } from 'node:test';\ntest('good', () => undefined);\n", ...files };
  for (const [name, text] of Object.entries(all)) writeFileSync(join(dir, name), text);
  const paths = Object.keys(all)
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(dir, name));
  const main = join(dir, 'main.ts');
  writeFileSync(
    main,
    `import { runSuite } from ${JSON.stringify(runner)};
    const lines = [];
    const selection = ${JSON.stringify({ suite: { name: 'made', ...limits }, files: paths })};
    const result = await runSuite(selection, (line) => lines.push(line), new AbortController().signal);
    console.log(JSON.stringify({ ...result, lines }));`,
  );
  const args = ['-u', 'NODE_TEST_CONTEXT', process.execPath, '--disable-warning=ExperimentalWarning', main];
  const { stdout } = await runCommand('env', args, { timeoutMs: 30_000 });
  return JSON.parse(stdout) as SuiteResult & { lines: string[] };
}

test('a failure of a test that a helper in another file has made is a failure of the file that was run', async () => {
  const result = await runFiles({
    'helper.ts': `export const both = async (context) => {
      await context.test('first', () => undefined);
      await context.test('second', () => { throw new Error('the second has failed'); });
    };`,
    'uses-helper.test.ts': `import { test } from 'node:test';
      import { both } from './helper.ts';
      test('outer', async (context) => await both(context));`,
  });
  assert.deepEqual([result.passed, result.failures.length], [2, 1]);
  assert.match(result.failures[0] ?? '', /uses-helper\.test\.ts: second\n\s+the second has failed/);
  assert.match(result.lines.join('\n'), /✖ .*uses-helper\.test\.ts {2}2 tests, 1 FAILED/);
});

test('a file that ends with an error outside of its tests has failed', async () => {
  const result = await runFiles({
    'late.test.ts': `import { test } from 'node:test';
      test('passes', () => { setTimeout(() => { throw new Error('too late'); }, 10); });`,
  });
  assert.equal(result.failures.length, 1);
  assert.match(result.failures[0] ?? '', /late\.test\.ts/);
});

test('a file that node:test calls failed has failed, though no test of it is known to have', async () => {
  const file = '/made/lost.test.ts';
  const counts = { tests: 1, failed: 1, passed: 0, cancelled: 0, skipped: 0, todo: 0, topLevel: 1, suites: 0 };
  async function* start() {
    yield { type: 'test:summary' as const, data: { success: false, counts, duration_ms: 5, file } };
  }
  const selection = { suite: { name: 'made', ...limits }, files: [file] };
  const { failures } = await runSuite(selection, () => undefined, new AbortController().signal, start);
  assert.equal(failures.length, 1);
  assert.match(failures[0] ?? '', /lost\.test\.ts: failed, and no test says why/);
});
