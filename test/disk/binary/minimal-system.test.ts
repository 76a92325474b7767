import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { distDir } from '../../../scripts/build/paths.ts';
import { Resources } from '../../resources.ts';
import { minimalRoot, mountProc, placeBundle, runInRoot } from './minimal-root.ts';

const bundleDir = join(distDir, 'bundle');

test('the bundle with its fallback libraries starts where there is only glibc', async () => {
  await using resources = new Resources();
  const root = minimalRoot(resources);
  await mountProc(resources, root);
  placeBundle(root, bundleDir, { fallback: true });
  const { exitCode, stdout, stderr } = await runInRoot(root, ['version', '--json']);
  assert.equal(exitCode, 0, stderr);
  assert.equal((JSON.parse(stdout) as { node: string }).node, process.versions.node);
});

test('the root filesystem of these tests really lacks the libraries', async () => {
  await using resources = new Resources();
  const root = minimalRoot(resources);
  await mountProc(resources, root);
  placeBundle(root, bundleDir, { fallback: false });
  const { exitCode, stderr } = await runInRoot(root, ['version']);
  assert.equal(exitCode, 127);
  assert.match(stderr, /libstdc\+\+\.so\.6|libgcc_s\.so\.1/);
});
