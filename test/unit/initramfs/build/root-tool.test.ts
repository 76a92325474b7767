import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { collectFiles, mergedPath } from '../../../../initramfs/build/collect-files.ts';
import { isDynamic } from '../../../../initramfs/build/is-dynamic.ts';
import { parseLoaderList } from '../../../../initramfs/build/root-tool.ts';
import { conversions } from '../../../../initramfs/build/second-stage-files.ts';
import { Resources } from '../../../resources.ts';

const root = '/cache/root';
const list = (...libraries: string[]): string =>
  ['\tlinux-vdso.so.1 (0x00007ffc)', ...libraries.map((line) => `\t${line} (0x00007f00)`), ''].join('\n');

test('the libraries of a program are those in the root; those beside it came with it', () => {
  const text = list(
    'libatomic.so.1 => /dist/bundle/libatomic.so.1',
    `libc.so.6 => ${root}/usr/lib/x86_64-linux-gnu/libc.so.6`,
    `/lib64/ld-linux-x86-64.so.2 => ${root}/usr/lib64/ld-linux-x86-64.so.2`,
  );
  assert.deepEqual(parseLoaderList(text, root, '/dist/bundle/durantic'), [
    'usr/lib/x86_64-linux-gnu/libc.so.6',
    'usr/lib64/ld-linux-x86-64.so.2',
  ]);
});

test('a library that is missing, or would come from the machine that builds, is an error', () => {
  const file = `${root}/usr/sbin/sgdisk`;
  assert.throws(
    () => parseLoaderList('\tlibpopt.so.0 => not found\n', root, file),
    /the library libpopt\.so\.0, which .*sgdisk needs, is not in the Debian root/,
  );
  assert.throws(
    () => parseLoaderList(list('libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6'), root, file),
    /would load \/lib\/x86_64-linux-gnu\/libc\.so\.6, which is not in the Debian root/,
  );
});

test('a path below the links of a merged system is its path below /usr', () => {
  assert.deepEqual(['/sbin/x', 'lib64/y', 'usr/bin/z', 'library/a', '/bin'].map(mergedPath), [
    'usr/sbin/x',
    'usr/lib64/y',
    'usr/bin/z',
    'library/a',
    'usr/bin',
  ]);
});

test('a link is collected with what it leads to, each once; only whether a file can be run is kept', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  mkdirSync(join(dir, 'usr/sbin'), { recursive: true });
  writeFileSync(join(dir, 'usr/sbin/real'), '#!/bin/sh\n');
  chmodSync(join(dir, 'usr/sbin/real'), 0o4700);
  symlinkSync('real', join(dir, 'usr/sbin/relative'));
  symlinkSync('/sbin/relative', join(dir, 'usr/sbin/absolute'));
  const entries = await collectFiles(dir, ['usr/sbin/absolute', 'sbin/real']);
  assert.deepEqual(
    entries.sort((a, b) => (a.path < b.path ? -1 : 1)),
    [
      { path: 'usr/sbin/absolute', kind: 'symlink', target: '/sbin/relative' },
      { path: 'usr/sbin/real', kind: 'file', isExecutable: true, source: join(dir, 'usr/sbin/real') },
      { path: 'usr/sbin/relative', kind: 'symlink', target: 'real' },
    ],
  );
  await assert.rejects(collectFiles(dir, ['usr/sbin/none']), /ENOENT/);
  await assert.rejects(collectFiles(dir, ['usr/sbin']), /neither file nor link/);
});

test('a static program and a text need no loader', async () => {
  await using resources = new Resources();
  const text = join(resources.tempDir(), 'text');
  writeFileSync(text, '#!/bin/sh\n');
  assert.deepEqual([text, '/bin/busybox', process.execPath].map(isDynamic), [false, false, true]);
});

test('of the conversions only the wanted tables stay', () => {
  const text = [
    'alias\t850//\t\t\tIBM850//',
    'alias\tCP850//\t\tIBM850//',
    'module\tIBM850//\t\tINTERNAL\t\tIBM850\t\t1',
    'module\tINTERNAL\t\tIBM850//\t\tIBM850\t\t1',
    'module\tIBM8500//\t\tINTERNAL\t\tIBM8500\t\t1',
    'module\tINTERNAL\t\tIBM851//\t\tIBM851\t\t1',
  ];
  assert.equal(conversions(text.join('\n'), ['IBM850']), `${text.slice(0, 4).join('\n')}\n`);
  assert.throws(() => conversions(text.join('\n'), ['IBM999']), /no conversion IBM999/);
});
