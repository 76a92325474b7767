import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { kernelKey } from '../../../../../scripts/build/kernel/build-kernel.ts';
import { holdLock } from '../../../../../scripts/build/kernel/hold-lock.ts';
import { pruneKernelCache } from '../../../../../scripts/build/kernel/prune-kernel-cache.ts';
import { reasonsIn } from '../../../../../scripts/build/kernel/run-make.ts';
import { builtStamp, seedObjectTree } from '../../../../../scripts/build/kernel/seed-object-tree.ts';
import { Resources } from '../../../../resources.ts';

const signal = AbortSignal.timeout(20_000);

/** An object tree that was used last so many hours ago. */
function tree(folder: string, name: string, hoursAgo: number): string {
  const path = join(folder, name);
  mkdirSync(path);
  writeFileSync(join(path, 'object.o'), name);
  writeFileSync(join(path, 'durantic-last-link.json'), '{}');
  writeFileSync(join(path, builtStamp), '');
  const then = Date.now() / 1000 - hoursAgo * 3600;
  utimesSync(join(path, builtStamp), then, then);
  return path;
}

test('the key changes with source, tools and configuration, and only its last part with the configuration', () => {
  const pin = { version: '6.18.15', sha256: 'a' };
  const key = kernelKey(pin, 'CONFIG_A=y\n', 'gcc 12');
  assert.match(key, /^[0-9a-f]{12}-[0-9a-f]{12}$/);
  assert.notEqual(kernelKey(pin, 'CONFIG_A=y\n', 'gcc 14'), key);
  assert.notEqual(kernelKey({ ...pin, sha256: 'b' }, 'CONFIG_A=y\n', 'gcc 12'), key);
  const other = kernelKey(pin, 'CONFIG_B=y\n', 'gcc 12');
  assert.equal(other.slice(0, 12), key.slice(0, 12));
  assert.notEqual(other, key);
});

test('two trees stay: the one in use, even when it is the oldest, and the one used last before it', async () => {
  await using resources = new Resources();
  const folder = resources.tempDir();
  const inUse = tree(folder, 'build-1-a-a', 50);
  for (const [name, hoursAgo] of [
    ['build-1-a-b', 3],
    ['build-1-a-c', 1],
    ['build-1-a-d', 2],
  ] as const) {
    tree(folder, name, hoursAgo);
  }
  for (const name of ['.unpack-x', '.seed-y', 'check']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'linux.tar.xz'), '');
  pruneKernelCache(folder, [inUse]);
  assert.deepEqual(readdirSync(folder).sort(), ['build-1-a-a', 'build-1-a-c', 'check', 'linux.tar.xz']);
});

test('a new tree begins as a copy of the last one of the same tools, without what tells of that one as a whole', async () => {
  await using resources = new Resources();
  const folder = resources.tempDir();
  tree(folder, 'build-1-tools-old', 9);
  tree(folder, 'build-1-tools-recent', 1);
  tree(folder, 'build-1-others-newest', 0);
  mkdirSync(join(folder, 'build-1-tools-unfinished'));
  const fresh = join(folder, 'build-1-tools-new');
  assert.equal(await seedObjectTree(fresh, signal), true);
  assert.equal(readFileSync(join(fresh, 'object.o'), 'utf8'), 'build-1-tools-recent');
  assert.deepEqual(readdirSync(fresh), ['object.o']);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('.')),
    [],
  );
});

test('without a tree of the same tools nothing is copied', async () => {
  await using resources = new Resources();
  const folder = resources.tempDir();
  tree(folder, 'build-1-others-newest', 0);
  const fresh = join(folder, 'build-1-tools-new');
  assert.equal(await seedObjectTree(fresh, signal), false);
  assert.equal(existsSync(fresh), false);
});

test('the lock is held by one at a time, and the next one is told that it waits', async () => {
  await using resources = new Resources();
  const file = join(resources.tempDir(), 'lock');
  const first = await holdLock(file);
  const order: string[] = [];
  const told = Promise.withResolvers<void>();
  const second = holdLock(file, told.resolve).then(async (lock) => {
    order.push('second has it');
    await lock[Symbol.asyncDispose]();
  });
  await told.promise;
  order.push('first gives it back');
  await first[Symbol.asyncDispose]();
  await second;
  assert.deepEqual(order, ['first gives it back', 'second has it']);
});

test('of a failed make the lines that say why are shown, not what other jobs printed after them', async () => {
  await using resources = new Resources();
  const log = join(resources.tempDir(), 'build.log');
  const noise = Array.from({ length: 100 }, (_, index) => `  CC      drivers/net/file${index}.o`);
  writeFileSync(log, ['  CC a.o', "a.c:3:1: error: 'x' undeclared", 'make[2]: *** [a.o] Error 1', ...noise].join('\n'));
  assert.equal(reasonsIn(log), "  a.c:3:1: error: 'x' undeclared\n  make[2]: *** [a.o] Error 1");
  writeFileSync(log, noise.join('\n'));
  assert.equal(reasonsIn(log).split('\n').length, 20);
});
