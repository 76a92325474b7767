import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { describeBadEnd, startBackgroundBuild } from '../../../../scripts/testing/background-build.ts';
import { Resources, waitFor } from '../../../resources.ts';

test('a build that succeeds has a time and nothing to say; its output is in the log', async () => {
  await using resources = new Resources();
  const log = join(resources.tempDir(), 'log');
  const build = startBackgroundBuild(['sh', '-c', 'echo compiling; echo done >&2'], log);
  const result = await waitFor('its end', () => build.result());
  assert.equal(result.exitCode, 0);
  assert.ok(result.seconds >= 0 && result.seconds < 10);
  assert.equal(readFileSync(log, 'utf8'), 'compiling\ndone\n');
  assert.equal(describeBadEnd('build', build, log), undefined);
});

test('a build that fails, or is none, says how and shows the end of its log', async () => {
  await using resources = new Resources();
  const log = join(resources.tempDir(), 'log');
  const failing = startBackgroundBuild(['sh', '-c', 'seq 100; echo the disk is full; exit 3'], log);
  await waitFor('its end', () => failing.result());
  const text = describeBadEnd('build', failing, log) ?? '';
  assert.match(text, /^build ended with 3:\n/);
  assert.match(text, / {2}the disk is full$/);
  assert.equal(text.split('\n').length, 31);
  const missing = startBackgroundBuild([join(resources.tempDir(), 'none')], log);
  await waitFor('its end', () => missing.result());
  assert.match(describeBadEnd('build', missing, log) ?? '', /ended with 127/);
});

test('a build that still runs is ended with everything that it started', async () => {
  await using resources = new Resources();
  const log = join(resources.tempDir(), 'log');
  const build = startBackgroundBuild(['sh', '-c', 'sleep 60 & echo $!; wait'], log);
  const child = await waitFor('its child', () => Number(readFileSync(log, 'utf8')) || undefined);
  assert.match(describeBadEnd('build', build, log) ?? '', /was still running when the tests had ended/);
  build.end();
  await waitFor('the end of both', () => build.result() !== undefined && !isAlive(child));
  build.end();
});

function isAlive(pid: number): boolean {
  try {
    // A process that has ended stays a zombie until its parent asks.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
