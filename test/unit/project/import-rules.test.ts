import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkImports } from './import-rules.ts';
import { importsOf, repoDir, type SourceFile, sourceFiles } from './source-files.ts';

const file = (path: string, ...specifiers: string[]): SourceFile => ({
  path,
  text: specifiers.map((specifier) => `import { thing } from '${specifier}';`).join('\n'),
});

test('every file imports only what its folder may (docs/architecture.md)', () => {
  const dependencies = (JSON.parse(readFileSync(join(repoDir, 'package.json'), 'utf8')) as { dependencies: object })
    .dependencies;
  const files = sourceFiles();
  assert.ok(files.length > 30, 'the files were not found');
  assert.ok(
    files.some((each) => importsOf(each).some(({ path }) => path?.startsWith('core/'))),
    'no import was recognised',
  );
  assert.deepEqual(checkImports(files, new Set(Object.keys(dependencies))), []);
});

const forbidden: readonly [string, SourceFile][] = [
  ['protocol takes zod only', file('protocol/a.ts', '../core/base/errors.ts')],
  ['protocol takes zod only', file('protocol/a.ts', 'undici')],
  ['core/base takes nothing of ours', file('core/base/a.ts', '../../protocol/a.ts')],
  ['core/stream takes core/base only', file('core/stream/a.ts', '../oci/types.ts')],
  ['core/oci does not take protocol', file('core/oci/a.ts', '../../protocol/a.ts')],
  ['core never takes agent', file('core/x/a.ts', '../../agent/disk/types.ts')],
  ['disk does not take layer', file('agent/disk/a.ts', '../layer/types.ts')],
  ['layer does not take disk', file('agent/layer/a.ts', '../disk/types.ts')],
  ['only steps join disk and layer', file('agent/rootfs/a.ts', '../disk/types.ts', '../layer/types.ts')],
  ['images take no other part of agent', file('images/build/a.ts', '../../agent/layer/types.ts')],
  ['nothing takes cli', file('agent/a.ts', '../cli/main.ts')],
  ['the program takes no tests', file('agent/a.ts', '../test/resources.ts')],
  ['the program takes no development package', file('agent/a.ts', 'esbuild')],
];
for (const [rule, breaker] of forbidden) {
  test(`a breach is found: ${rule} (${breaker.path})`, () => {
    assert.equal(checkImports([breaker], new Set(['undici', 'zod'])).length, 1);
  });
}

test('what is allowed is not called a breach', () => {
  const allowed = [
    file('agent/provision/steps/a.ts', '../../disk/types.ts', '../../layer/types.ts', '../../../core/base/errors.ts'),
    file('core/oci/a.ts', '../base/errors.ts', '../stream/types.ts', './types.ts', 'undici', 'node:fs'),
    file('images/build/a.ts', '../../agent/disk/types.ts'),
    file('protocol/a.ts', 'zod'),
    file('test/unit/cli/a.test.ts', '../../../cli/main.ts', 'fast-check'),
  ];
  assert.deepEqual(checkImports(allowed, new Set(['undici', 'zod'])), []);
});

test('imports of every form are recognised', () => {
  const text = [
    "import { a,\n  b } from './one.ts';",
    "import type { C } from './two.ts';",
    "export { d } from './three.ts';",
    "import './four.ts';",
    "const e = await import('./five.ts');",
    "import f from '@scope/name/sub';",
  ].join('\n');
  const imports = importsOf({ path: 'core/base/a.ts', text });
  const names = imports.map(({ path, packageName }) => path ?? packageName);
  const files = ['one', 'two', 'three', 'four', 'five'].map((name) => `core/base/${name}.ts`);
  assert.deepEqual(names, [...files, '@scope/name']);
});
