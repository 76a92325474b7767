import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';

const program = new URL('../../../cli/main.ts', import.meta.url).pathname;

/** Runs the program and closes the reading end of its output before it has said anything. */
async function withoutReader(...argv: readonly string[]): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stderr };
}

test('a command that only prints ends without a word when nobody reads it', async () => {
  assert.deepEqual(await withoutReader('version'), { code: 141, stderr: '' });
});

test('an installation does not depend on who reads its events', async () => {
  const { code, stderr } = await withoutReader(
    'provision',
    '--image',
    'oci:/nowhere',
    '--disk',
    '/nowhere',
    '--json',
    '--yes',
  );
  assert.equal(code, 2);
  assert.doesNotMatch(stderr, /EPIPE|defect/);
});
