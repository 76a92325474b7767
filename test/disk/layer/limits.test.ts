import assert from 'node:assert/strict';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { buildTar, type RawEntry } from '../../builders/tar-builder.ts';
import { sparseFormats } from '../../builders/tar-sparse.ts';
import { readTree } from '../../tree.ts';
import { Arena } from './arena.ts';

let arena: Arena;
before(async () => {
  arena = await Arena.open();
});
after(async () => {
  await arena[Symbol.asyncDispose]();
});

it('F50 path of 500 folders, made, whited out and made again', async () => {
  const deep = Array.from({ length: 500 }, (_, index) => `d${index % 10}`).join('/');
  const folders = Array.from({ length: 500 }, (_, index) => ({
    longName: `${deep
      .split('/')
      .slice(0, index + 1)
      .join('/')}/`,
    typeflag: '5',
    mode: 0o700 + (index % 8),
    mtime: 1000 + index,
  }));
  const layers = [
    [...folders, { longName: `${deep}/file`, data: 'bottom' }],
    [{ longName: `${deep}/other`, data: 'x' }, { longName: `${deep.slice(0, 600)}/.wh.${deep.slice(601, 603)}` }],
    [{ longName: `${deep}/implicit`, data: 'again' }, { name: '.wh.d0' }],
  ];
  await arena.newCase().assertEqual(layers.map((entries) => buildTar(entries)));
});

it('F50 names whose path is longer than PATH_MAX are made and removed', async () => {
  const one = arena.newCase();
  const name = Array.from({ length: 20 }, (_, index) => String.fromCharCode(97 + index).repeat(240)).join('/');
  assert.ok(name.length > 4800);
  await one.extract([buildTar([{ longName: name, data: 'deep' }])]);
  const found = await runCommand('find', ['.', '-type', 'f', '-printf', '%s %d\n'], { cwd: one.root });
  assert.equal(found.stdout, '4 20\n');
  await one.extract([buildTar([{ name: `.wh.${'a'.repeat(240)}`, longName: `.wh.${'a'.repeat(240)}` }])]);
  assert.deepEqual(readdirSync(one.root), []);
});

it('F50 a name of 4,096 bytes', async () => {
  const one = arena.newCase();
  const name = `${'x'.repeat(250)}/`.repeat(17).slice(0, 4096);
  await one.extract([
    buildTar([
      { longName: name, data: 'x' },
      { longName: `${name}y`, data: 'y' },
    ]),
  ]);
  const found = await runCommand('find', ['.', '-type', 'f', '-printf', '%P\n'], { cwd: one.root });
  assert.deepEqual(found.stdout.split('\n').filter(Boolean).sort(), [name, `${name}y`]);
});

it('F50 more folders in use than stay open: their times are set all the same', async () => {
  const folders = Array.from({ length: 400 }, (_, index) => `f${index}`);
  const rounds = [0, 1, 2].flatMap((round) => folders.map((name) => ({ name: `${name}/${round}`, data: `${round}` })));
  const described = folders.map((name, index): RawEntry => ({ name, typeflag: '5', mode: 0o711, mtime: 5000 + index }));
  const above = folders.flatMap((name) => [{ name: `${name}/.wh.1` }, { name: `${name}/3`, data: 'up' }]);
  await arena.newCase().assertEqual([buildTar([...described, ...rounds]), buildTar(above)]);
});

it('F48 hard link to a file 200 folders deep in the layer below', async () => {
  const deep = Array.from({ length: 200 }, (_, index) => `d${index}`).join('/');
  const lower: RawEntry[] = [
    { longName: `${deep}/file`, data: 'bottom' },
    { name: 'p/', typeflag: '5', mtime: 42 },
  ];
  const upper: RawEntry[] = [
    { name: 'p/h', typeflag: '1', longLink: `${deep}/file` },
    { name: 'p/after', data: 'x' },
    { longName: `${deep}/after`, data: 'y' },
  ];
  await arena.newCase().assertEqual([buildTar(lower), buildTar(upper)]);
});

it('F50 opaque folder over 300 folders that both layers have', async () => {
  const folders = Array.from({ length: 300 }, (_, index) => `top/f${index}`);
  const lower = folders.flatMap((name): RawEntry[] => [{ name, typeflag: '5', mtime: 9 }, { name: `${name}/old` }]);
  const upper = folders.map((name) => ({ name: `${name}/new` }));
  const top: RawEntry = { name: 'top', typeflag: '5' };
  const one = arena.newCase();
  await one.assertEqual([buildTar([top, ...lower]), buildTar([top, ...upper, { name: 'top/.wh..wh..opq' }])]);
});

it('F50 50,000 entries in one directory', async () => {
  const one = arena.newCase();
  const names = Array.from({ length: 50_000 }, (_, index) => `many/entry-${index}`);
  const [result] = await one.extract([buildTar([{ name: 'many', typeflag: '5' }, ...names.map((name) => ({ name }))])]);
  assert.equal(result?.entries, 50_001);
  assert.equal(readdirSync(join(one.root, 'many')).length, 50_000);
  await one.extract([buildTar([{ name: '.wh.many' }])]);
  assert.deepEqual(readdirSync(one.root), []);
});

it('F50 sparse file of 10 GiB', async () => {
  const one = arena.newCase();
  const size = 10 * 1024 ** 3;
  const build = sparseFormats['PAX 1.0'];
  assert.ok(build);
  await one.extract([buildTar([build('big', size, [{ offset: size - 5, data: 'right' }]), { name: 'after' }])]);
  const stat = lstatSync(join(one.root, 'big'));
  assert.equal(stat.size, size);
  assert.ok(stat.blocks < 64);
  assert.ok(readTree(one.root, { ignore: ['big'] }).has('after'));
});
