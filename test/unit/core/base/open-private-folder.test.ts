import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openPrivateFolder } from '../../../../core/base/open-private-folder.ts';
import { Resources } from '../../../resources.ts';

const noMounts = '';

test('a private folder is made with mode 0700 and used again', async () => {
  await using resources = new Resources();
  const candidate = join(resources.tempDir(), 'durantic-0');
  assert.equal(openPrivateFolder({ candidates: [candidate], mountinfo: noMounts }), candidate);
  assert.equal(statSync(candidate).mode & 0o777, 0o700);
  assert.equal(openPrivateFolder({ candidates: [candidate], mountinfo: noMounts }), candidate);
  assert.deepEqual(readdirSync(candidate), [], 'the probe stayed');
});

const hostile: Record<string, (candidate: string, elsewhere: string) => void> = {
  'open to others': (candidate) => {
    mkdirSync(candidate);
    chmodSync(candidate, 0o777);
  },
  'readable by others': (candidate) => {
    mkdirSync(candidate);
    chmodSync(candidate, 0o755);
  },
  'a file of ours': (candidate) => writeFileSync(candidate, '', { mode: 0o600 }),
  'a symlink to somewhere': (candidate, elsewhere) => symlinkSync(elsewhere, candidate),
};
for (const [what, prepare] of Object.entries(hostile)) {
  test(`a folder made beforehand that is ${what} is not used, and a fresh one is`, async () => {
    await using resources = new Resources();
    const parent = resources.tempDir();
    const elsewhere = resources.tempDir();
    const candidate = join(parent, 'durantic-0');
    prepare(candidate, elsewhere);
    const before = lstatSync(candidate).mode;
    const folder = openPrivateFolder({ candidates: [candidate], mountinfo: noMounts });
    assert.notEqual(folder, candidate);
    assert.ok(folder.startsWith(`${candidate}-`));
    assert.equal(lstatSync(folder).mode & 0o777, 0o700);
    assert.ok(lstatSync(folder).isDirectory());
    assert.equal(lstatSync(candidate).mode, before, 'the hostile folder was repaired instead of avoided');
    assert.deepEqual(readdirSync(elsewhere), []);
  });
}

test('noexec is found by the innermost mount, and the next candidate is taken', async () => {
  await using resources = new Resources();
  const first = resources.tempDir();
  const second = resources.tempDir();
  const mountinfo = [
    `30 22 0:25 / ${first} rw,relatime - tmpfs tmpfs rw`,
    `31 22 0:26 / ${first} rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw`,
    `32 22 0:27 / ${second.slice(0, -1)} rw,noexec - tmpfs tmpfs rw`,
    `33 22 0:28 / ${second} rw,relatime - tmpfs tmpfs rw`,
    // A mount further out decides nothing, wherever it stands.
    '22 1 254:0 / / rw,noexec,relatime - ext4 /dev/vda rw',
  ].join('\n');
  const candidates = [join(first, 'durantic-0'), join(second, 'durantic-0')];
  assert.equal(openPrivateFolder({ candidates, mountinfo }), candidates[1]);
});

test('a parent that others can change is refused', async () => {
  await using resources = new Resources();
  const parent = resources.tempDir();
  chmodSync(parent, 0o777);
  assert.throws(() => openPrivateFolder({ candidates: [join(parent, 'durantic-0')], mountinfo: noMounts }), {
    code: 'asset_folder_unusable',
    message: /other users can change/,
  });
  chmodSync(parent, 0o1777);
  assert.equal(
    openPrivateFolder({ candidates: [join(parent, 'durantic-0')], mountinfo: noMounts }),
    join(parent, 'durantic-0'),
  );
});

test('where no candidate can be used the error names each and why', () => {
  const candidates = ['/does-not-exist/durantic-0', '/proc/durantic-0'];
  assert.throws(() => openPrivateFolder({ candidates, mountinfo: '1 0 0:1 / /proc rw,noexec - proc proc rw' }), {
    code: 'asset_folder_unusable',
    kind: 'environment',
    message: /\/does-not-exist\/durantic-0 cannot be made \(ENOENT\); \/proc\/durantic-0 is on .*noexec/,
  });
});
