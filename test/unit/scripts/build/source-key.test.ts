import assert from 'node:assert/strict';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { sourceFiles, sourceFolders, sourceKey } from '../../../../scripts/build/source-key.ts';
import { Resources } from '../../../resources.ts';

test('any change of a source, its name or what else decides makes another key; the same tree elsewhere does not', async () => {
  await using resources = new Resources();
  const tree = (): string => {
    const root = resources.tempDir();
    for (const folder of sourceFolders) mkdirSync(join(root, folder, 'deep'), { recursive: true });
    for (const folder of sourceFolders) writeFileSync(join(root, folder, 'deep', 'a.ts'), 'one');
    for (const name of sourceFiles) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), 'one');
    }
    return root;
  };
  const root = tree();
  const first = sourceKey(['x'], root);
  assert.equal(sourceKey(['x'], tree()), first);
  assert.notEqual(sourceKey(['y'], root), first);
  const seen = new Set([first]);
  const places = [...sourceFolders.map((folder) => `${folder}/deep/a.ts`), ...sourceFiles];
  for (const place of places) {
    writeFileSync(join(root, place), 'two');
    seen.add(sourceKey(['x'], root));
  }
  assert.equal(seen.size, places.length + 1, 'each place counts');
  renameSync(join(root, 'core/deep/a.ts'), join(root, 'core/deep/b.ts'));
  assert.ok(!seen.has(sourceKey(['x'], root)));
});
