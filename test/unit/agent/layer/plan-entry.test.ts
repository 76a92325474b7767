import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { it } from 'node:test';
import fc from 'fast-check';
import { cleanPath, planEntry, splitPath } from '../../../../agent/layer/plan-entry.ts';
import { displayName, type TarEntry } from '../../../../agent/layer/tar-entry.ts';
import { TarFormatError } from '../../../../agent/layer/tar-numbers.ts';

const time = { sec: 5, nsec: 0 };
const entry = (name: string, more: Partial<TarEntry> = {}): TarEntry => ({
  kind: 'file',
  typeflag: '0',
  name,
  linkName: '',
  mode: 0o644,
  uid: 0,
  gid: 0,
  sizeBytes: 0,
  mtime: time,
  atime: time,
  major: 0,
  minor: 0,
  xattrs: [],
  ignored: [],
  ...more,
});

it('F49 a cleaned path is what the name is below /, whatever it says', () => {
  const part = fc.constantFrom('a', 'b', '.', '..', '', '...', '.x', 'x.', '.wh.a');
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), fc.boolean(), (parts, isAbsolute) => {
      const name = `${isAbsolute ? '/' : ''}${parts.join('/')}`;
      const expected = posix.join('/', name).replace(/\/$/, '').slice(1);
      assert.equal(cleanPath(name), expected);
      assert.ok(
        !cleanPath(name)
          .split('/')
          .some((component) => component === '..' || component === '.'),
      );
    }),
  );
});

it('splits off the last component', () => {
  assert.deepEqual(splitPath('a/b/c'), { parent: 'a/b', name: 'c' });
  assert.deepEqual(splitPath('c'), { parent: '', name: 'c' });
});

it('F47 whiteouts are known by their last component alone, whatever type they have', () => {
  for (const kind of ['file', 'symlink', 'directory', 'unknown'] as const) {
    const plan = planEntry(entry('a/.wh.b', { kind }));
    assert.deepEqual(plan, { kind: 'whiteout', archiveName: 'a/.wh.b', parent: 'a', name: 'b' });
    assert.equal(planEntry(entry('a/.wh..wh..opq', { kind })).kind, 'opaque');
  }
  assert.equal(planEntry(entry('.wh.dir/file')).kind, 'file');
  assert.equal(planEntry(entry('a.wh.b')).kind, 'file');
});

it('F49 only a folder may stand for the root', () => {
  for (const name of ['.', './', '/', 'a/..', '']) {
    assert.equal(planEntry(entry(name, { kind: 'directory' })).kind, 'root');
    assert.throws(() => planEntry(entry(name)), TarFormatError);
    assert.throws(() => planEntry(entry(name, { kind: 'symlink' })), TarFormatError);
  }
});

it('F48 link targets are cleaned like names', () => {
  const plan = planEntry(entry('h', { kind: 'hardlink', linkName: '/../a/./b/../c' }));
  assert.ok(plan.kind === 'link');
  assert.deepEqual([plan.targetParent, plan.targetName], ['a', 'c']);
});

it('F46 xattrs of overlayfs and NFS are left out, SELinux labels are not', () => {
  const names = ['user.a', 'security.selinux', 'trusted.overlay.opaque', 'security.capability', 'system.nfs4_acl'];
  const plan = planEntry(entry('f', { xattrs: names.map((name) => ({ name, value: Buffer.from('x') })) }));
  assert.ok(plan.kind === 'file');
  assert.deepEqual(
    plan.metadata.xattrs.map(({ name }) => name),
    ['user.a', 'security.selinux', 'security.capability'],
  );
});

it('unknown types and absurd names are refused', () => {
  assert.throws(() => planEntry(entry('f', { kind: 'unknown', typeflag: 'Z' })), TarFormatError);
  assert.throws(() => planEntry(entry('x/'.repeat(5000))), TarFormatError);
});

it('names are shown as text without control characters', () => {
  assert.equal(displayName(Buffer.from('grün').toString('latin1')), 'grün');
  assert.equal(displayName('a\nb\x1b'), 'a\\nb\\u001b');
  assert.equal(displayName('say "hi"'), 'say "hi"');
  assert.ok(displayName('x'.repeat(5000)).length < 250);
});
