import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseIndexTargets, sourcesList } from '../../../../images/build/apt-sources.ts';
import { embeddedConfig, startScript } from '../../../../images/build/grub-config.ts';
import { hashFolder } from '../../../../images/build/hash-folder.ts';
import { parseRecipe, readRecipe } from '../../../../images/build/recipe.ts';
import { Resources } from '../../../resources.ts';

const imagesFolder = join(import.meta.dirname, '../../../../images');
const place = { name: 'test', folder: '/recipes/test' };

test('every recipe of the repository is valid, and what it names is there', async () => {
  for (const name of ['debian-12', 'debian-13', 'debian-12-web']) {
    const recipe = await readRecipe(imagesFolder, name);
    const paths = [...recipe.layers, recipe.debian?.overlay, recipe.debian?.customize].filter(
      (path) => path !== undefined,
    );
    for (const path of paths) assert.ok(existsSync(path), path);
    if (recipe.debian?.customize) assert.ok((statSync(recipe.debian.customize).mode & 0o111) !== 0);
  }
});

test('an unknown recipe is refused with the names of those there are, and a path is no name', async () => {
  await assert.rejects(readRecipe(imagesFolder, 'slackware'), { message: /debian-12, debian-12-web, debian-13/ });
  await assert.rejects(readRecipe(imagesFolder, '../images/debian-12'), { code: 'image_build_failed' });
});

test('a recipe with a wrong member, two sources or none is refused at its place', () => {
  const refused = (text: string, message: RegExp): void =>
    assert.throws(() => parseRecipe(text, place), { code: 'image_build_failed', message });
  refused('description: x', /either "debian" or "from"/);
  refused('{description: x, from: a, debian: {suite: bookworm, packages: [a]}}', /either "debian" or "from"/);
  refused('{description: x, debian: {suite: bookworm, packages: []}}', /debian\.packages/);
  refused('{description: x, from: a, layres: [b]}', /layres/);
  refused('a: [', /not YAML/);
  const recipe = parseRecipe('{description: x, from: a, layers: [files, /abs]}', place);
  assert.deepEqual(recipe.layers, ['/recipes/test/files', '/abs']);
});

test('the mirror is taken from the machine, for another release too, and other vendors are left out', () => {
  const sources = parseIndexTargets(
    [
      'http://mirror.example/debian/|bookworm|main|amd64|',
      'http://mirror.example/debian/|bookworm|contrib|amd64|',
      'http://mirror.example/debian/|bookworm|main|i386|',
      'http://mirror.example/debian/|bookworm-updates|main|amd64|',
      'http://security.example/|bookworm-security|main|amd64|',
      'http://security.example/|bookworm-security|main|amd64|',
      'http://mirror.example/debian/|bookworm-backports|main|amd64|',
      'https://vendor.example/node|nodistro|main|amd64|',
      '',
    ].join('\n'),
    'bookworm',
  );
  assert.equal(
    sourcesList(sources, { from: 'bookworm', to: 'trixie' }),
    [
      'deb http://mirror.example/debian/ trixie main contrib\n',
      'deb http://mirror.example/debian/ trixie-updates main\n',
      'deb http://security.example/ trixie-security main\n',
    ].join(''),
  );
  const onlySecurity = sources.filter(({ release }) => release.endsWith('-security'));
  assert.throws(() => sourcesList(onlySecurity, { from: 'bookworm', to: 'trixie' }), { code: 'image_build_failed' });
});

test('the key of a folder follows names, contents, links and execute bits, and not times', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  mkdirSync(join(dir, 'sub'));
  writeFileSync(join(dir, 'sub/file'), 'one');
  symlinkSync('file', join(dir, 'sub/link'));
  const keys = [await hashFolder(dir)];
  utimesSync(join(dir, 'sub/file'), 1, 1);
  assert.equal(await hashFolder(dir), keys[0]);
  const changes = [
    () => writeFileSync(join(dir, 'sub/file'), 'two'),
    () => chmodSync(join(dir, 'sub/file'), 0o755),
    () => mkdirSync(join(dir, 'empty')),
    () => symlinkSync('other', join(dir, 'link')),
  ];
  for (const change of changes) {
    change();
    keys.push(await hashFolder(dir));
  }
  assert.equal(new Set(keys).size, 5);
});

test('invariant 7: no script of GRUB and no file of a recipe names a UUID', () => {
  const grubCfg = readFileSync(join(imagesFolder, 'debian/grub.cfg'), 'utf8');
  for (const text of [embeddedConfig, startScript, grubCfg]) {
    assert.doesNotMatch(text, /[0-9a-f]{8}-[0-9a-f]{4}-/i);
    assert.doesNotMatch(text, /LABEL=|search/);
  }
  assert.match(grubCfg, /root=UUID=\$\{root_uuid\}/);
});
