import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { layDownAsset } from '../../../../core/base/lay-down-asset.ts';
import { Resources } from '../../../resources.ts';

const bytes = Buffer.from('the bytes of a native part');
const sha256 = createHash('sha256').update(bytes).digest('hex');
const asset = { name: 'part.node', bytes, sha256 };

test('an asset is laid down once and found again', async () => {
  await using resources = new Resources();
  const folder = resources.tempDir();
  const path = layDownAsset(asset, folder);
  assert.deepEqual(readFileSync(path), bytes);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  const inode = statSync(path).ino;
  assert.equal(layDownAsset(asset, folder), path);
  assert.equal(statSync(path).ino, inode, 'the good file was written again');
  assert.deepEqual(readdirSync(folder), [`${sha256.slice(0, 16)}-part.node`], 'a temporary file stayed');
});

const spoil: Record<string, (path: string) => void> = {
  'half written': (path) => truncateSync(path, 5),
  'altered with the same length': (path) => writeFileSync(path, Buffer.alloc(bytes.length, 0x41)),
  'open for others to write': (path) => chmodSync(path, 0o777),
};
for (const [how, change] of Object.entries(spoil)) {
  test(`a file that is ${how} is replaced before it is used`, async () => {
    await using resources = new Resources();
    const folder = resources.tempDir();
    const path = layDownAsset(asset, folder);
    change(path);
    assert.equal(layDownAsset(asset, folder), path);
    assert.deepEqual(readFileSync(path), bytes);
    assert.equal(statSync(path).mode & 0o777, 0o700);
  });
}

test('a symlink in the place of the file is replaced, its target stays as it is', async () => {
  await using resources = new Resources();
  const folder = resources.tempDir();
  const victim = join(folder, 'victim');
  writeFileSync(victim, bytes);
  const path = join(folder, `${sha256.slice(0, 16)}-part.node`);
  symlinkSync(victim, path);
  assert.equal(layDownAsset(asset, folder), path);
  assert.ok(statSync(path).isFile());
  assert.notEqual(statSync(path).ino, statSync(victim).ino);
  assert.deepEqual(readFileSync(victim), bytes);
});

test('a folder in the place of the file is replaced, even one that is as long as the file', async () => {
  await using resources = new Resources();
  const folder = resources.tempDir();
  const large = Buffer.alloc(statSync(folder).size, 0x42);
  const digest = createHash('sha256').update(large).digest('hex');
  mkdirSync(join(folder, `${digest.slice(0, 16)}-part.node`), { mode: 0o700 });
  const path = layDownAsset({ name: 'part.node', bytes: large, sha256: digest }, folder);
  assert.deepEqual(readFileSync(path), large);
});

test('bytes that do not match the manifest are refused and nothing is written', async () => {
  await using resources = new Resources();
  const folder = resources.tempDir();
  const damaged = { ...asset, bytes: Buffer.from('other bytes') };
  assert.throws(() => layDownAsset(damaged, folder), { code: 'asset_damaged', kind: 'integrity' });
  assert.deepEqual(readdirSync(folder), []);
});
