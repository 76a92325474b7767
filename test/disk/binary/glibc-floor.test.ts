import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { bundleManifestSchema, glibcFloor } from '../../../protocol/bundle-manifest.ts';
import { requireFloor } from '../../../scripts/build/build-bundle.ts';
import { compareVersions, glibcNeeded } from '../../../scripts/build/glibc-needed.ts';
import { hashFile } from '../../../scripts/build/hash-file.ts';
import { distDir } from '../../../scripts/build/paths.ts';

const bundleDir = join(distDir, 'bundle');
const ofGlibc = ['libc.so.6', 'libm.so.6', 'libdl.so.2', 'libpthread.so.0', 'ld-linux-x86-64.so.2'];

/** What the dynamic section of an ELF object says. */
async function dynamicSection(path: string): Promise<{ needed: string[]; runPath: string | undefined }> {
  const { stdout } = await runCommand('readelf', ['--dynamic', '--wide', path]);
  return {
    needed: [...stdout.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map((match) => match[1] ?? ''),
    runPath: /\(RUNPATH\).*\[(.+)\]/.exec(stdout)?.[1],
  };
}

test('every object that is loaded from the run path starts with the glibc of the README', async () => {
  const objects = [
    join(bundleDir, 'durantic'),
    join(bundleDir, 'libatomic.so.1'),
    join(distDir, 'assets', 'durantic-native.node'),
  ];
  for (const path of objects) {
    const needed = await glibcNeeded(path);
    assert.ok(compareVersions(needed, glibcFloor) <= 0, `${path} needs glibc ${needed}, the floor is ${glibcFloor}`);
  }
  // Node itself decides the floor: a promise of more than it needs would keep machines out for nothing.
  assert.equal(await glibcNeeded(join(bundleDir, 'durantic')), glibcFloor);
});

test('what the objects link is glibc or lies in the bundle, and the run path is the folder itself', async () => {
  const fallback = ['libstdc++.so.6', 'libgcc_s.so.1'];
  const { needed, runPath } = await dynamicSection(join(bundleDir, 'durantic'));
  assert.equal(runPath, '$ORIGIN');
  assert.deepEqual(needed.filter((name) => !ofGlibc.includes(name)).sort(), ['libatomic.so.1', ...fallback].sort());
  for (const path of ['libatomic.so.1', 'fallback/libstdc++.so.6', 'fallback/libgcc_s.so.1']) {
    const library = await dynamicSection(join(bundleDir, path));
    assert.deepEqual(
      library.needed.filter((name) => ![...ofGlibc, ...fallback].includes(name)),
      [],
      path,
    );
    assert.equal(library.runPath, undefined, path);
  }
});

test('a newer glibc is noticed', async () => {
  const needed = await glibcNeeded(join(bundleDir, 'fallback', 'libstdc++.so.6'));
  assert.throws(() => requireFloor('libstdc++.so.6', needed), /needs glibc 2\.\d+, but the program promises/);
});

test('the manifest describes the files of the bundle', async () => {
  const manifest = bundleManifestSchema.parse(JSON.parse(readFileSync(join(bundleDir, 'manifest.json'), 'utf8')));
  const described = manifest.files.map(({ path }) => path).sort();
  assert.deepEqual(described, ['durantic', 'fallback/libgcc_s.so.1', 'fallback/libstdc++.so.6', 'libatomic.so.1']);
  for (const { path, sha256, bytes, glibc } of manifest.files) {
    assert.equal(hashFile(join(bundleDir, path)), sha256, path);
    assert.equal(readFileSync(join(bundleDir, path)).byteLength, bytes, path);
    assert.equal(await glibcNeeded(join(bundleDir, path)), glibc, path);
  }
});
