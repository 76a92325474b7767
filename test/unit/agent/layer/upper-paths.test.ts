import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { UpperPaths } from '../../../../agent/layer/upper-paths.ts';

it('F47 knows exactly the paths that were added', () => {
  const path = fc
    .array(fc.constantFrom('a', 'b', 'usr', 'x'), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join('/'));
  fc.assert(
    fc.property(fc.array(path), fc.array(path), (added, asked) => {
      const upper = new UpperPaths();
      const model = new Set<string>();
      for (const each of added) {
        upper.add(each);
        model.add(each);
      }
      for (const each of [...added, ...asked]) assert.equal(upper.has(each), model.has(each), each);
    }),
  );
});

it('adds every folder above, not the root', () => {
  const upper = new UpperPaths();
  upper.addWithParents('a/b/c');
  assert.deepEqual(
    ['a', 'a/b', 'a/b/c', '', 'b', 'a/b/c/d'].map((path) => upper.has(path)),
    [true, true, true, false, false, false],
  );
});

it('grows to many paths without mixing them up', () => {
  const upper = new UpperPaths();
  for (let index = 0; index < 200_000; index += 1) upper.add(`usr/share/doc/package-${index}/copyright`);
  for (let index = 0; index < 200_000; index += 1) {
    assert.ok(upper.has(`usr/share/doc/package-${index}/copyright`));
    assert.ok(!upper.has(`usr/share/doc/package-${index}/changelog`));
  }
});
