import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { locateBundle } from '../../../../agent/rootfs/locate-bundle.ts';
import { writeTree } from '../../../builders/rootfs-tree.ts';
import { Resources } from '../../../resources.ts';

const signal = new AbortController().signal;
const manifest = JSON.stringify({
  format: 1,
  name: 'durantic',
  version: '1.0.0',
  commit: 'abc',
  node: '26.0.0',
  platform: 'linux-x64',
  files: [
    { path: 'durantic', sha256: '0'.repeat(64), bytes: 1, mode: '0755', role: 'program', glibc: '2.28', licence: 'x' },
  ],
});

async function archive(entries: Readonly<Record<string, string>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, data] of Object.entries(entries)) tar.entry({ name }, data);
  tar.entry({ name: 'link', type: 'symlink', linkname: '/etc' });
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks));
}

test('takes the folder of the program, links resolved', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  writeTree(dir, { 'bundle/durantic': 'x', 'bundle/manifest.json': manifest, durantic: { link: 'bundle/durantic' } });
  await using bundle = await locateBundle({ bundle: null, execPath: join(dir, 'durantic'), signal });
  assert.equal(bundle.dir, join(dir, 'bundle'));
  assert.equal(bundle.manifest.version, '1.0.0');
});

test('unpacks an archive, regular files inside the folder only, and removes it afterwards', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  const file = join(dir, 'bundle.tar.gz');
  writeFileSync(
    file,
    await archive({ './durantic': 'x', 'manifest.json': manifest, 'fallback/a': 'a', '../../evil': 'evil' }),
  );
  const bundle = await locateBundle({ bundle: file, signal });
  assert.equal(readFileSync(join(bundle.dir, 'durantic'), 'utf8'), 'x');
  assert.equal(readFileSync(join(bundle.dir, 'fallback/a'), 'utf8'), 'a');
  assert.equal(existsSync(join(bundle.dir, 'link')), false);
  assert.equal(existsSync(join(bundle.dir, '../../evil')), false);
  await bundle[Symbol.asyncDispose]();
  assert.equal(existsSync(bundle.dir), false);
});

test('says what to do when there is none, and when the archive is damaged', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  const expected = { code: 'bundle_missing', message: /scripts\/build-binary.*--agent-bundle/ };
  await assert.rejects(locateBundle({ bundle: null, execPath: process.execPath, signal }), expected);
  await assert.rejects(locateBundle({ bundle: join(dir, 'nothing'), signal }), expected);
  await assert.rejects(locateBundle({ bundle: dir, signal }), expected);
  writeFileSync(join(dir, 'cut.tar.gz'), (await archive({ durantic: 'x'.repeat(10_000) })).subarray(0, 60));
  await assert.rejects(locateBundle({ bundle: join(dir, 'cut.tar.gz'), signal }), { code: 'stream_corrupt' });
  writeTree(dir, { 'manifest.json': '{"format": 2}' });
  await assert.rejects(locateBundle({ bundle: dir, signal }), { code: 'bundle_missing', message: /no manifest/ });
});
