import assert from 'node:assert/strict';
import { readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { buildBinary } from '../../../scripts/build/build-binary.ts';
import { hashFile } from '../../../scripts/build/hash-file.ts';
import { Resources } from '../../resources.ts';

/** Path → digest and mode of every file. */
function contents(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  const files = names.map((name) => ({ name, path: join(folder, name) })).filter(({ path }) => statSync(path).isFile());
  return Object.fromEntries(
    files.map(({ name, path }) => [name, `${hashFile(path)} ${statSync(path).mode.toString(8)}`]),
  );
}

test('two builds in different folders, one without any cache, give the same bytes', async (context) => {
  await using resources = new Resources();
  const first = join(resources.tempDir(), 'out');
  const second = join(resources.tempDir('durantic-another-place-'), 'deeper', 'out');
  const built = await buildBinary({ outDir: first });
  assert.ok(built.isNew);
  assert.ok((await buildBinary({ outDir: second, cacheDir: resources.tempDir() })).isNew);
  assert.deepEqual(contents(first), contents(second));
  assert.ok('durantic-linux-x64.tar.gz' in contents(first), 'the archive was not compared');

  // The binary and its libraries find each other through the link.
  assert.equal(realpathSync(built.binary), join(realpathSync(first), 'bundle', 'durantic'));
  await runCommand('sha256sum', ['--check', '--strict', `${built.archive}.sha256`], { cwd: first });
  const { stdout } = await runCommand('tar', [
    '--list',
    '--gzip',
    '--verbose',
    '--numeric-owner',
    '--file',
    built.archive,
  ]);
  const members = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/));
  const names = [
    'durantic',
    'fallback/',
    'fallback/libgcc_s.so.1',
    'fallback/libstdc++.so.6',
    'libatomic.so.1',
    'manifest.json',
  ];
  assert.deepEqual(
    members.map((fields) => fields.at(-1)),
    names,
  );
  assert.deepEqual([...new Set(members.map((fields) => fields[1]))], ['0/0']);

  // The fastest of three: tests beside this one take their share of the machine.
  const tookMs: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const startedMs = performance.now();
    assert.equal((await buildBinary({ outDir: first })).isNew, false, 'an unchanged tree was built again');
    tookMs.push(performance.now() - startedMs);
  }
  context.diagnostic(`nothing to build: ${tookMs.map((took) => took.toFixed(0)).join(', ')} ms`);
  assert.ok(Math.min(...tookMs) < 2000, `finding nothing to build took ${Math.min(...tookMs).toFixed(0)} ms`);

  // A result that lost a part is made again, and equal.
  const before = readFileSync(`${built.archive}.sha256`, 'utf8');
  rmSync(built.archive);
  assert.ok((await buildBinary({ outDir: first })).isNew);
  assert.equal(readFileSync(`${built.archive}.sha256`, 'utf8'), before);
});
