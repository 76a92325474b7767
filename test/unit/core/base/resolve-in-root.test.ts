import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import fc from 'fast-check';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { resolveInRoot } from '../../../../core/base/resolve-in-root.ts';
import { Resources } from '../../../resources.ts';

it('F49 stays inside the root, whatever symlinks say', async () => {
  await using resources = new Resources();
  const root = resources.tempDir();
  mkdirSync(join(root, 'usr/lib'), { recursive: true });
  writeFileSync(join(root, 'file'), '');
  symlinkSync('usr/lib', join(root, 'lib'));
  symlinkSync('/usr', join(root, 'absolute'));
  symlinkSync('../../../../etc', join(root, 'usr/climbs'));
  symlinkSync('missing/../usr', join(root, 'lexical'));
  symlinkSync('lib', join(root, 'twice'));
  symlinkSync('../share', join(root, 'usr/lib/up'));
  const cases: [string, string, string?][] = [
    ['lib/x', 'usr/lib/x'],
    ['/lib/x', 'usr/lib/x'],
    ['lib', 'lib', 'usr/lib'],
    ['twice/x', 'usr/lib/x'],
    ['absolute/lib/x', 'usr/lib/x'],
    ['usr/climbs/passwd', 'etc/passwd'],
    ['usr/climbs', 'usr/climbs', 'etc'],
    ['lexical/x', 'usr/x'],
    ['usr/lib/up/x', 'usr/share/x'],
    ['../../etc/passwd', 'etc/passwd'],
    ['usr/../file', 'file'],
    ['file/x', 'file/x'],
    ['none/of/these', 'none/of/these'],
  ];
  for (const [path, expected, followed = expected] of cases) {
    assert.equal(resolveInRoot(root, path), join(root, expected), path);
    assert.equal(resolveInRoot(root, path, { followLast: true }), join(root, followed), `${path}, last followed`);
  }
  for (const path of ['', '/', '.', '..', 'usr/..']) assert.equal(resolveInRoot(root, path), root);
});

it('a loop of symlinks is an error', async () => {
  await using resources = new Resources();
  const root = resources.tempDir();
  symlinkSync('b', join(root, 'a'));
  symlinkSync('a', join(root, 'b'));
  const isLoop = (error: unknown): boolean =>
    error instanceof ProvisionError && error.code === 'layer_entry_invalid' && error.message.includes('a/x');
  assert.throws(() => resolveInRoot(root, 'a/x'), isLoop);
  assert.equal(resolveInRoot(root, 'a'), join(root, 'a'));
});

it('random links and paths never lead out', async () => {
  await using resources = new Resources();
  const part = fc.constantFrom('a', 'b', 'c', '..', '.', '');
  const path = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), path, fc.boolean()), { maxLength: 3 }),
      path,
      (links, asked) => {
        const root = resources.tempDir();
        for (const [name, target, isAbsolute] of links) {
          try {
            symlinkSync(`${isAbsolute ? '/' : ''}${target}` || '.', join(root, name));
          } catch {
            // the name is taken
          }
        }
        try {
          const resolved = resolveInRoot(root, asked, { followLast: true });
          assert.ok(resolved === root || resolved.startsWith(`${root}/`), resolved);
          assert.ok(!resolved.slice(root.length).split('/').includes('..'));
        } catch (error) {
          assert.ok(error instanceof ProvisionError);
        }
      },
    ),
    { numRuns: 100 },
  );
});
