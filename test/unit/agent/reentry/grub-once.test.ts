import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { grubVariable, withGrubVariable } from '../../../../agent/reentry/grub-environment.ts';
import { nothingPlaced } from '../../../../agent/reentry/one-shot.ts';
import { type GrubPlace, removeGrubOnce } from '../../../../agent/reentry/one-shot-grub.ts';
import { runCommand } from '../../../../core/base/run-command.ts';
import { bootLayout, identities } from '../../../builders/boot-layout.ts';
import { Resources } from '../../../resources.ts';
import { debian, fixture, kernel, system, unreachable } from './grub-fixture.ts';

for (const [name, config] of [
  ["a generated grub.cfg of Debian's", debian],
  ["this project's own grub.cfg", fixture('images/debian/grub.cfg')],
] as const) {
  test(`${name}: the installer is what GRUB starts next, and nothing is left afterwards`, async () => {
    await using resources = new Resources();
    const { prepare, path, noted } = system(resources, config);
    assert.match(await prepare(), /GRUB was told to start it once/);
    assert.deepEqual(noted, [{ ...nothingPlaced, grubDir: path('').replace(/\/$/, '') }]);
    assert.deepEqual(readFileSync(path('durantic-vmlinuz')), kernel);
    const { stdout } = await runCommand('grub-editenv', [path('grubenv'), 'list']);
    assert.equal(stdout, 'next_entry=durantic-installer\n');
    await removeGrubOnce(path(''));
    for (const gone of ['durantic-vmlinuz', 'durantic-state.img', 'custom.cfg'])
      assert.ok(!existsSync(path(gone)), gone);
    assert.equal((await runCommand('grub-editenv', [path('grubenv'), 'list'])).stdout, '');
  });
}

test('what stands in custom.cfg and grubenv stays, while the entry is there and after', async () => {
  await using resources = new Resources();
  const custom = "menuentry 'mine' { linux /vmlinuz }\n# no line end";
  const { prepare, path } = system(resources, debian, {
    'boot/grub/custom.cfg': custom,
  });
  await runCommand('grub-editenv', [path('grubenv'), 'create']);
  await runCommand('grub-editenv', [path('grubenv'), 'set', 'saved_entry=1>1', 'other=a=b']);
  await prepare();
  await prepare();
  assert.equal(readFileSync(path('custom.cfg'), 'utf8').split('--id durantic-installer').length, 2, 'once');
  assert.ok(readFileSync(path('custom.cfg'), 'utf8').startsWith(custom));
  const { stdout } = await runCommand('grub-editenv', [path('grubenv'), 'list']);
  assert.equal(stdout, 'saved_entry=1>1\nother=a=b\nnext_entry=durantic-installer\n');
  await removeGrubOnce(path(''));
  assert.equal(readFileSync(path('custom.cfg'), 'utf8').trimEnd(), custom);
  const after = await runCommand('grub-editenv', [path('grubenv'), 'list']);
  assert.equal(after.stdout, 'saved_entry=1>1\nother=a=b\n');
});

/** As grub2-setpassword and hardened systems have it. */
const locked = `set superusers="root"
export superusers
password_pbkdf2 root grub.pbkdf2.sha512.10000.AB.CD
${debian}`;

test('a GRUB with a password starts the installer without asking for it', async () => {
  await using resources = new Resources();
  const { prepare, path } = system(resources, locked);
  assert.match(await prepare(), /told to start it once/);
  assert.match(readFileSync(path('custom.cfg'), 'utf8'), /^menuentry 'Durantic installer' --unrestricted /m);
});

test('a GRUB that asks for its password on the way to our entry is refused', async () => {
  await using resources = new Resources();
  const config = `${locked.replace(/source .*custom\.cfg/g, 'true')}
submenu more --id ours {
  source $prefix/custom.cfg
}
set default="ours>durantic-installer"
`;
  const { prepare, path } = system(resources, config);
  await assert.rejects(prepare(), unreachable(/asks for a user name and a password before it starts "Durantic/));
  assert.ok(!existsSync(path('custom.cfg')));
});

const simple = 'menuentry a {\n linux /boot/vmlinuz-6.1.0-18-amd64\n}\n';
for (const [name, config] of [
  ['reads neither next_entry nor custom.cfg', simple],
  ['does not read custom.cfg', `load_env\nset default="\${next_entry}"\n${simple}`],
  ['does not read next_entry', `${simple}source $prefix/custom.cfg\n`],
] as const) {
  test(`a grub.cfg that ${name} is refused, and everything is taken back`, async () => {
    await using resources = new Resources();
    const { prepare, path } = system(resources, config);
    await assert.rejects(prepare(), unreachable(/takes no one-time entry .*chooses "a"/));
    for (const gone of ['durantic-vmlinuz', 'durantic-state.img', 'custom.cfg'])
      assert.ok(!existsSync(path(gone)), gone);
    assert.equal(grubVariable(readFileSync(path('grubenv'), 'latin1'), 'next_entry'), null);
  });
}

test('an environment block that is damaged or full is refused', () => {
  assert.throws(() => withGrubVariable('x'.repeat(1024), 'next_entry', 'a'), unreachable(/damaged/));
  const full = withGrubVariable(null, 'saved_entry', 'x'.repeat(980));
  assert.equal(full.length, 1024);
  assert.throws(() => withGrubVariable(full, 'next_entry', 'durantic-installer'), unreachable(/full/));
});

const [, espIdentity] = bootLayout('/').partitions;
assert.ok(espIdentity !== undefined);
const elsewhere = { ...espIdentity, partUuid: '90000000-0000-4000-8000-000000000009', fsUuid: '9999-9999' };
for (const [name, identity] of [
  ['the same disk', espIdentity],
  ['another disk', elsewhere],
] as const) {
  test(`what GRUB reads first on the EFI system partition counts, on ${name}`, async () => {
    await using resources = new Resources();
    const esp = (config: string): Pick<GrubPlace, 'esp' | 'platform'> => ({
      esp: { identity, files: new Map([['/EFI/debian/grub.cfg', config]]) },
      platform: 'efi',
    });
    const stub = `search.fs_uuid ${identities.rootFs} root\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n`;
    assert.match(await system(resources, debian, {}, esp(stub)).prepare(), /told to start it once/);
    const whole = `search.fs_uuid ${identities.rootFs} root\n${simple}`;
    await assert.rejects(system(resources, debian, {}, esp(whole)).prepare(), unreachable(/chooses "a"/));
  });
}
