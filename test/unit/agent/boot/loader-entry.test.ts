import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareVersions, parseLoaderEntry, sortLoaderEntries } from '../../../../agent/boot/loader-entry.ts';

test('reads an entry with several initrds, options and a boot counter', () => {
  const text =
    '# x\ntitle  Arch Linux\nversion 6.1\nlinux\t/k\ninitrd /u\ninitrd /i\noptions a\noptions b\ngrub_users $u\n';
  const entry = parseLoaderEntry('arch+0-3.conf', text);
  assert.deepEqual(entry, {
    id: 'arch',
    title: 'Arch Linux',
    version: '6.1',
    sortKey: '',
    kernel: '/k',
    initrds: ['/u', '/i'],
    options: 'a b',
    grubUsers: '$u',
    isBad: true,
  });
});

test('sorts good before bad, sort keys up, versions down', () => {
  const entry = (id: string, version: string, sortKey = '', isBad = false) => ({
    ...parseLoaderEntry(`${id}.conf`, 'linux /k\n'),
    version,
    sortKey,
    isBad,
  });
  const sorted = sortLoaderEntries([
    entry('bad', '9', 'a', true),
    entry('plain-old', '6.9'),
    entry('plain-new', '6.10'),
    entry('keyed-b', '1', 'b'),
    entry('keyed-a-old', '1', 'a'),
    entry('keyed-a-new', '2', 'a'),
  ]);
  assert.deepEqual(
    sorted.map(({ id }) => id),
    ['keyed-a-new', 'keyed-a-old', 'keyed-b', 'plain-new', 'plain-old', 'bad'],
  );
});

test('compares versions as people read them', () => {
  for (const [lower, higher] of [
    ['6.9.12-200.fc40', '6.10.3-200.fc40'],
    ['5.14.0-9', '5.14.0-10'],
    ['6.1~rc1', '6.1'],
    ['1', '1.1'],
  ]) {
    assert.ok(compareVersions(lower ?? '', higher ?? '') < 0, `${lower} < ${higher}`);
    assert.ok(compareVersions(higher ?? '', lower ?? '') > 0, `${higher} > ${lower}`);
  }
  assert.equal(compareVersions('6.1', '6.1'), 0);
});
