import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { imagesUsed, selectTests, usesInstaller } from '../../../../scripts/testing/suites.ts';
import { Resources } from '../../../resources.ts';

const tree = {
  'unit/a.test.ts': "test('F43 pure part', () => {});",
  'unit/helper.ts': "export const name = 'F43 not a test';",
  'disk/deep/b.test.ts': "test(`F43 on a disk`, () => {}); test('F431 other', () => {});",
  'vm/c.test.ts': 'test("S3 scenario", () => {});',
  'bench/d.test.ts': "test('speed', () => {});",
};

/** Which files each suite would run, by their names relative to test/. */
function select(resources: Resources, args: readonly string[]): Record<string, string[]> {
  const root = resources.tempDir();
  for (const [name, text] of Object.entries(tree)) {
    mkdirSync(dirname(join(root, 'test', name)), { recursive: true });
    writeFileSync(join(root, 'test', name), text);
  }
  const selections = selectTests(args, root);
  return Object.fromEntries(
    selections.map(({ suite, files }) => [suite.name, files.map((file) => file.slice(root.length + '/test/'.length))]),
  );
}

const cases: readonly [string, readonly string[], Record<string, string[]>][] = [
  [
    'no argument means the known suites, not those by hand',
    [],
    { unit: ['unit/a.test.ts'], disk: ['disk/deep/b.test.ts'], vm: ['vm/c.test.ts'] },
  ],
  ['a suite by name', ['disk'], { disk: ['disk/deep/b.test.ts'] }],
  ['a suite by hand', ['bench'], { bench: ['bench/d.test.ts'] }],
  ['a row in every suite that names it', ['F43'], { unit: ['unit/a.test.ts'], disk: ['disk/deep/b.test.ts'] }],
  ['a scenario', ['S3'], { vm: ['vm/c.test.ts'] }],
  ['a file', ['test/unit/a.test.ts'], { unit: ['unit/a.test.ts'] }],
  ['a folder', ['test/disk/deep'], { disk: ['disk/deep/b.test.ts'] }],
];
for (const [what, args, expected] of cases) {
  test(`selected: ${what}`, async () => {
    await using resources = new Resources();
    assert.deepEqual(select(resources, args), expected);
  });
}

test('a row selects tests by the whole id', async () => {
  await using resources = new Resources();
  const root = resources.tempDir();
  mkdirSync(join(root, 'test/unit'), { recursive: true });
  writeFileSync(join(root, 'test/unit/a.test.ts'), "test('F4 x', () => {});");
  const pattern = selectTests(['F4'], root)[0]?.pattern;
  assert.ok(pattern?.test('F4 dirty disk: x'));
  assert.ok(pattern?.test('F4: x'));
  assert.equal(pattern?.test('F43 x'), false);
  assert.equal(pattern?.test('not F4'), false);
  assert.ok(pattern?.test('S9 F3 F4 one of several'));
  assert.equal(pattern?.test('S9 F43 x'), false);
});

test('the images that selected files name are known before the tests', async () => {
  await using resources = new Resources();
  const root = resources.tempDir();
  for (const name of ['debian-12', 'debian-12-web', 'debian-13', 'build']) {
    mkdirSync(join(root, 'images', name), { recursive: true });
    if (name !== 'build') writeFileSync(join(root, 'images', name, 'recipe.yaml'), '');
  }
  mkdirSync(join(root, 'test/disk'), { recursive: true });
  const used = (text: string): string[] => {
    writeFileSync(join(root, 'test/disk/a.test.ts'), text);
    return imagesUsed(selectTests(['disk'], root), join(root, 'images'));
  };
  assert.deepEqual(used("import { pushDebianImage } from './debian-image.ts';"), ['debian-12']);
  assert.deepEqual(used("['debian-13', 'debian-12-web']"), ['debian-12-web', 'debian-13']);
  assert.deepEqual(used("const dir = 'build';"), []);
});

test('the installer is built for the suite whose files boot it, and for no other', async () => {
  await using resources = new Resources();
  const root = resources.tempDir();
  const files = {
    'unit/a.test.ts': "import { nextSteps } from '../../scripts/emulation/run-qemu.ts';",
    'disk/b.test.ts': "import { startVm } from '../vm/qemu.ts';",
    'vm/deep/c.test.ts': "import { InstallLab } from '../install-lab.ts';",
    'vm/install-lab.ts': "import { InstallerGuest } from './installer-guest.ts';",
    'vm/installer-guest.ts': "import { installerAsset } from './installer-assets.ts';",
    'vm-long/d.test.ts': "import { installerAsset } from '../vm/installer-assets.ts';",
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, 'test', name)), { recursive: true });
    writeFileSync(join(root, 'test', name), text);
  }
  // By its name the suite vm is whole; without arguments only its part for CI runs.
  const selections = selectTests(['unit', 'disk', 'vm'], root);
  assert.deepEqual(
    selectTests([], root).map(({ suite }) => suite.name),
    ['unit', 'disk', 'vm'],
  );
  assert.deepEqual(selections.map(usesInstaller), [false, false, true, true]);
});

test('an argument that selects nothing is an error', async () => {
  await using resources = new Resources();
  for (const argument of ['F99', 'disc', 'test/unit/none.test.ts']) {
    assert.throws(() => select(resources, [argument]), { message: `no test is named by ${argument}` });
  }
});
