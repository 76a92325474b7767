import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DirectoryTable, type OpenDirectory } from '../../../../agent/layer/directory-table.ts';

function tableWithRoot(): { table: DirectoryTable; root: OpenDirectory } {
  const table = new DirectoryTable();
  return { table, root: table.add('', null, null) };
}

it('gives up the least recently used folders, never one with open children', () => {
  const { table, root } = tableWithRoot();
  const parent = table.add('parent', root, null);
  table.add('parent/child', parent, null);
  for (let index = 0; index < 200; index += 1) table.add(`f${index}`, root, null);
  table.get('f0');
  table.get('parent/child');
  const excess = table.takeExcess().map(({ path }) => path);
  assert.equal(excess[0], 'f1');
  assert.ok(!excess.includes('f0') && !excess.includes('parent') && !excess.includes(''));
  assert.equal(table.getReal('f1'), undefined);
  assert.ok(table.getReal('parent/child'));
});

it('uses slots again', () => {
  const { table, root } = tableWithRoot();
  const first = table.add('a', root, null);
  table.takeTree('a');
  assert.equal(table.add('b', root, null).slot, first.slot);
});

it('takes a tree deepest first, and nothing beside it', () => {
  const { table, root } = tableWithRoot();
  const a = table.add('a', root, null);
  const b = table.add('a/b', a, null);
  table.add('a/b/c', b, null);
  table.add('ab', root, null);
  assert.deepEqual(
    table.takeTree('a').map(({ path }) => path),
    ['a/b/c', 'a/b', 'a'],
  );
  assert.equal(root.openChildren, 1);
  assert.ok(table.getReal('ab'));
});

it('F49 a path through a symlink counts until that symlink is replaced', () => {
  const { table, root } = tableWithRoot();
  const real = table.add('real', root, null);
  table.addAlias('link', 'real', ['link']);
  assert.equal(table.get('link'), real);
  assert.equal(table.getReal('link'), undefined);
  table.replaced('other');
  assert.equal(table.get('link'), real);
  table.replaced('link');
  assert.equal(table.get('link'), undefined);
});
