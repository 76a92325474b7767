import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { type CpioEntry, cpioChunks } from '../../../../core/cpio/cpio.ts';
import { compressArchive } from '../../../../initramfs/build/compress-archive.ts';
import { firstStageFiles } from '../../../../initramfs/build/first-stage-files.ts';
import { minimumMemory } from '../../../../initramfs/minimum-memory.ts';
import { installerMarker } from '../../../../installer/assert-installer-medium.ts';
import { Resources } from '../../../resources.ts';

/** The first stage around a second one of a few bytes. */
function makeStage(resources: Resources): Map<string, CpioEntry> {
  const root = resources.tempDir();
  for (const folder of ['usr/bin', 'etc']) mkdirSync(join(root, folder), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'usr/bin/busybox'));
  writeFileSync(join(root, 'etc/mke2fs.conf'), '');
  const squashfs = join(root, 'squashfs');
  writeFileSync(squashfs, 'second stage');
  const firmware = [
    { path: 'tigon/tg3.bin.zst', kind: 'file', source: squashfs } as const,
    { path: 'tigon/link.bin.zst', kind: 'symlink', source: 'tg3.bin.zst' } as const,
  ];
  const entries = firstStageFiles({ root, squashfs, squashfsSha256: 'ab'.repeat(32), firmware });
  for (const [index, { path }] of entries.entries()) {
    const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : null;
    const isThere = parent === null || entries.slice(0, index).some((entry) => entry.path === parent);
    assert.ok(isThere, `${path} comes before its folder`);
  }
  return new Map(entries.map((entry) => [entry.path, entry]));
}

const textOf = (entry: CpioEntry | undefined): string =>
  entry?.kind === 'file' ? String(typeof entry.source === 'string' ? readFileSync(entry.source) : entry.source) : '';

test('the archive in the kernel has all that /init finds before the second stage is mounted', async () => {
  await using resources = new Resources();
  const stage = makeStage(resources);
  const init = stage.get('init');
  assert.ok(init?.kind === 'file' && init.isExecutable);
  const interpreter = /^#!\/(\S+)/.exec(textOf(init))?.[1] ?? '';
  assert.equal(stage.get(interpreter)?.kind, 'symlink', `there is no /${interpreter}`);
  for (const [, path = ''] of textOf(init).matchAll(/^\. \/(\S+)$/gm)) assert.ok(stage.has(path), `no /${path}`);
  assert.deepEqual(stage.get('dev/console'), { path: 'dev/console', kind: 'character-device', major: 5, minor: 1 });
  assert.equal(textOf(stage.get('durantic/stage2.squashfs')), 'second stage');
  assert.equal(textOf(stage.get('durantic/stage2.squashfs.sha256')), `${'ab'.repeat(32)}  stage2.squashfs\n`);
  assert.ok(stage.has(installerMarker.slice(1)), 'durantic installer would refuse to run');
  const { ramMib, usableMib } = minimumMemory;
  const memory = `minimum_ram_mib=${ramMib}\nminimum_usable_mib=${usableMib}\n`;
  assert.equal(textOf(stage.get('stage1/minimum-memory')), memory);
});

test('the root is that of a merged system, and what holds secrets is closed to others', async () => {
  await using resources = new Resources();
  const stage = makeStage(resources);
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    assert.deepEqual(stage.get(name), { path: name, kind: 'symlink', target: `usr/${name}` });
  }
  for (const path of ['root', 'run/durantic', 'var/lib/durantic']) {
    assert.deepEqual(stage.get(path), { path, kind: 'directory', mode: 0o700 });
  }
  for (const { path, ...entry } of stage.values()) {
    assert.doesNotMatch(path, /^(bin|sbin|lib|lib64)\//, `${path} would be written through a link`);
    assert.ok(
      entry.kind !== 'directory' || entry.mode === undefined || (entry.mode & 0o022) === 0 || /tmp$/.test(path),
    );
  }
});

test('firmware is where the kernel looks before and after the second stage is mounted', async () => {
  await using resources = new Resources();
  const stage = makeStage(resources);
  assert.deepEqual(stage.get('usr/lib/firmware'), { path: 'usr/lib/firmware', kind: 'symlink', target: '/firmware' });
  assert.equal(textOf(stage.get('firmware/tigon/tg3.bin.zst')), 'second stage');
  assert.deepEqual(stage.get('firmware/tigon/link.bin.zst'), {
    path: 'firmware/tigon/link.bin.zst',
    kind: 'symlink',
    target: 'tg3.bin.zst',
  });
});

test('the archive is one zstd frame with a small window, and equal each time', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  const { signal } = new AbortController();
  const content = Buffer.alloc(3 << 20, 'some text that can be compressed ');
  const entries: CpioEntry[] = [{ path: 'a', kind: 'file', source: content }];
  const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = await Promise.all(
    ['one', 'two'].map(async (name) => {
      await compressArchive(join(dir, name), entries, signal);
      return readFileSync(join(dir, name));
    }),
  );
  assert.ok(first.equals(second));
  assert.ok(zstdDecompressSync(first).equals(Buffer.concat([...cpioChunks(entries)])));
  // RFC 8878, 3.1.1.1: no single segment, and the window's exponent above 10 in the upper five bits of the next byte.
  assert.equal((first[4] ?? 0xff) & 0x20, 0);
  assert.ok(((first[5] ?? 0xff) >> 3) + 10 <= 20, 'the kernel would need more memory to unpack it');
});
