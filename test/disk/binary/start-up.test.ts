import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { distDir, nodeBinary, repoDir } from '../../../scripts/build/paths.ts';

const binary = join(distDir, 'durantic');
const runs = 31;
// Without its code cache (docs/adr/0010-code-cache.md) the program is 60 ms slower.
const allowedMs = 50;

/** At the highest priority, so that what runs beside this test is not measured. */
function timeMs(file: string, args: readonly string[]): number {
  const startedMs = performance.now();
  const { status } = spawnSync('nice', ['-n', '-20', file, ...args], { stdio: 'ignore' });
  const tookMs = performance.now() - startedMs;
  assert.equal(status, 0, `${file} ${args.join(' ')}`);
  return tookMs;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

test(`durantic version starts at most ${allowedMs} ms slower than bare Node`, (context) => {
  const own: number[] = [];
  const bare: number[] = [];
  // In turns, so that other work on the machine meets both alike.
  for (let run = 0; run < runs; run += 1) {
    bare.push(timeMs(nodeBinary, ['-e', '0']));
    own.push(timeMs(binary, ['version']));
  }
  context.diagnostic(`medians: durantic version ${median(own).toFixed(0)} ms, node -e 0 ${median(bare).toFixed(0)} ms`);
  // The fastest runs tell what the program needs; in the others, tests beside this one took their share.
  const difference = Math.min(...own) - Math.min(...bare);
  context.diagnostic(`fastest of ${runs}: ${difference.toFixed(0)} ms slower`);
  assert.ok(difference <= allowedMs, `${difference.toFixed(0)} ms slower than node -e 0`);
});

test('durantic version says version, commit, Node and architecture', () => {
  const text = spawnSync(binary, ['version'], { encoding: 'utf8' }).stdout;
  const facts = JSON.parse(spawnSync(binary, ['version', '--json'], { encoding: 'utf8' }).stdout) as Record<
    string,
    string
  >;
  const wanted = JSON.parse(readFileSync(join(repoDir, 'package.json'), 'utf8')) as { version: string };
  assert.equal(facts['version'], wanted.version);
  assert.match(facts['commit'] ?? '', /^([0-9a-f]{40}(-dirty)?|unknown)$/);
  assert.equal(facts['node'], process.versions.node);
  assert.equal(facts['architecture'], 'x64');
  for (const value of Object.values(facts)) assert.ok(text.includes(value), `${text} lacks ${value}`);
});

test('options for Node in the environment do not reach the program', () => {
  const { status, stdout } = spawnSync(binary, ['version'], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '--require=/does/not/exist' },
  });
  assert.equal(status, 0);
  assert.match(stdout, /^durantic /);
});
