import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { repoDir } from './source-files.ts';

/** Runs a tool of node_modules in the repository; its whole output is the failure's text. */
async function runTool(name: string, args: readonly string[]): Promise<void> {
  const tool = join(repoDir, 'node_modules', '.bin', name);
  const { exitCode, stdout, stderr } = await runCommand(tool, args, { cwd: repoDir, okExitCodes: [0, 1, 2] });
  assert.equal(exitCode, 0, `${name} found something:\n${stdout}${stderr}`);
}

test('the types are right (tsc)', async () => {
  await runTool('tsc', ['--noEmit']);
});

test('lint and format are right (biome)', async () => {
  await runTool('biome', ['check', '--error-on-warnings', '--colors=off', '.']);
});
