import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type BootEntry, type BootPlatform, readBootEntry } from '../../../../agent/boot/read-boot-entry.ts';
import { bootLayout, identities } from '../../../builders/boot-layout.ts';
import { quietContext, type TreeNode, writeTree } from '../../../builders/rootfs-tree.ts';
import { Resources } from '../../../resources.ts';

const fixture = (path: string): string => readFileSync(join(import.meta.dirname, '../../../..', path), 'utf8');
const debianConfig = fixture('test/fixtures/grub/debian-12-grub.cfg');

async function entryOf(
  tree: Record<string, TreeNode>,
  options: { platform?: BootPlatform; separateBoot?: boolean } = {},
): Promise<BootEntry> {
  await using resources = new Resources();
  const root = resources.tempDir();
  writeTree(root, tree);
  const layout = bootLayout(root, { separateBoot: options.separateBoot ?? false });
  return await readBootEntry(layout, options.platform ?? 'pc', quietContext);
}

const kernels: Record<string, TreeNode> = {
  'boot/vmlinuz-6.1.0-18-amd64': 'k18',
  'boot/initrd.img-6.1.0-18-amd64': 'i18',
  'boot/vmlinuz-6.1.0-17-amd64': 'k17',
  'boot/initrd.img-6.1.0-17-amd64': 'i17',
  'boot/ucode.img': 'u',
};
const debian: Record<string, TreeNode> = { ...kernels, 'boot/grub/grub.cfg': debianConfig };
const grubenv = (line: string): string => `# GRUB Environment Block\n${line}\n`.padEnd(1024, '#');
const simple = (body: string): Record<string, TreeNode> => ({
  'boot/grub/grub.cfg': `menuentry a {\n${body}\n}\n`,
  'boot/k': 'k',
  'boot/i': 'i',
});

test('Debian: the first entry of a generated grub.cfg', async () => {
  assert.deepEqual(await entryOf(debian), {
    loader: 'grub',
    configPath: '/boot/grub/grub.cfg',
    title: 'Debian GNU/Linux',
    kernel: { on: 'root', path: '/boot/vmlinuz-6.1.0-18-amd64' },
    initrds: [{ on: 'root', path: '/boot/initrd.img-6.1.0-18-amd64' }],
    commandLine: `root=UUID=${identities.rootFs} ro quiet`,
    isLocked: false,
  });
});

const old = `gnulinux-advanced-${identities.rootFs}>gnulinux-6.1.0-17-amd64-advanced-${identities.rootFs}`;
for (const saved of [old, '1>1', 'Advanced options for Debian GNU/Linux>Debian GNU/Linux, with Linux 6.1.0-17-amd64']) {
  test(`the saved default ${saved} is an entry of the submenu, with two initrds`, async () => {
    const entry = await entryOf({ ...debian, 'boot/grub/grubenv': grubenv(`saved_entry=${saved}`) });
    assert.equal(entry.kernel.path, '/boot/vmlinuz-6.1.0-17-amd64');
    assert.deepEqual(
      entry.initrds.map(({ path }) => path),
      ['/boot/ucode.img', '/boot/initrd.img-6.1.0-17-amd64'],
    );
    assert.equal(entry.commandLine, `root=UUID=${identities.rootFs} ro single`);
  });
}

test('a one-shot entry comes before the saved one; a default that does not exist means the first', async () => {
  const env = grubenv('saved_entry=0\nnext_entry=1>1');
  assert.match((await entryOf({ ...debian, 'boot/grub/grubenv': env })).title, /6\.1\.0-17/);
  assert.equal(
    (await entryOf({ ...debian, 'boot/grub/grubenv': grubenv('saved_entry=gone') })).title,
    'Debian GNU/Linux',
  );
});

const password = 'set superusers="root"\nexport superusers\npassword_pbkdf2 root grub.pbkdf2.sha512.10000.AB.CD\n';
const linux = '{\n linux /boot/vmlinuz-6.1.0-18-amd64\n}\n';
const locks: readonly (readonly [string, boolean, string])[] = [
  ['an entry while there is no password', false, `menuentry a ${linux}`],
  ['an entry where there is one', true, `${password}menuentry a ${linux}`],
  ['an entry for one user', true, `${password}menuentry a --users me ${linux}`],
  ['an unrestricted entry', false, `${password}menuentry a --class x --unrestricted --id y ${linux}`],
  ['an unrestricted entry of a menu', true, `${password}submenu m {\nmenuentry a --unrestricted ${linux}}\n`],
  ['an entry of an unrestricted menu', true, `${password}submenu m --unrestricted {\nmenuentry a ${linux}}\n`],
  [
    'an unrestricted entry of such a menu',
    false,
    `${password}submenu m --unrestricted {\nmenuentry a --unrestricted ${linux}}\n`,
  ],
  ['a loader entry', false, `${password}blscfg\n`],
  ['a loader entry for users', true, `${password}set grub_users=root\nblscfg\n`],
];
for (const [name, isLocked, config] of locks) {
  test(`GRUB asks for a password before it starts ${name}: ${isLocked ? 'yes' : 'no'}`, async () => {
    const entry = 'title a\nlinux /boot/vmlinuz-6.1.0-18-amd64\ngrub_users $grub_users\ngrub_arg --unrestricted\n';
    const tree = { ...kernels, 'boot/grub/grub.cfg': config, 'boot/loader/entries/a.conf': entry };
    assert.equal((await entryOf(tree)).isLocked, isLocked);
  });
}

test("this project's own grub.cfg: the root is asked for, not named", async () => {
  const tree = {
    'boot/grub/grub.cfg': fixture('images/debian/grub.cfg'),
    'boot/vmlinuz-6.1.0': 'k',
    'boot/initrd.img-6.1.0': 'i',
    vmlinuz: { link: 'boot/vmlinuz-6.1.0' },
    'initrd.img': { link: '/boot/initrd.img-6.1.0' },
  };
  for (const platform of ['pc', 'efi'] as const) {
    const entry = await entryOf(tree, { platform });
    const parameters = 'ro quiet systemd.show_status=true console=tty0 console=ttyS0,115200';
    assert.equal(entry.commandLine, `root=UUID=${identities.rootFs} ${parameters}`);
    assert.deepEqual(entry.kernel, { on: 'root', path: '/vmlinuz' });
  }
});

test('Fedora: loader entries by blscfg, newest first, with variables of the grubenv, /boot on its own partition', async () => {
  const entry = (version: string, extra = ''): string =>
    `title Fedora ${version}\nversion ${version}\nlinux /vmlinuz-${version}\ninitrd /initramfs-${version}.img $tuned_initrd\noptions $kernelopts ${extra}\n`;
  const tree = {
    'boot/grub2/grub.cfg': `load_env\nset default="\${saved_entry}"\ninsmod blscfg\nblscfg\n`,
    'boot/grub2/grubenv': grubenv(`kernelopts=root=UUID=${identities.rootFs} ro rhgb`),
    'boot/loader/entries/abc-6.9.12-200.fc40.conf': entry('6.9.12-200.fc40', 'old'),
    'boot/loader/entries/abc-6.10.3-200.fc40.conf': entry('6.10.3-200.fc40', 'new'),
    'boot/vmlinuz-6.10.3-200.fc40': 'k',
    'boot/initramfs-6.10.3-200.fc40.img': 'i',
    'boot/vmlinuz-6.9.12-200.fc40': 'k',
    'boot/initramfs-6.9.12-200.fc40.img': 'i',
  };
  const found = await entryOf(tree, { separateBoot: true });
  assert.equal(found.title, 'Fedora 6.10.3-200.fc40');
  assert.deepEqual(found.kernel, { on: 'root', path: '/boot/vmlinuz-6.10.3-200.fc40' });
  assert.deepEqual(
    found.initrds.map(({ path }) => path),
    ['/boot/initramfs-6.10.3-200.fc40.img'],
  );
  assert.equal(found.commandLine, `root=UUID=${identities.rootFs} ro rhgb new`);
  const saved = { ...tree, 'boot/grub2/grubenv': grubenv('saved_entry=abc-6.9.12-200.fc40') };
  assert.equal((await entryOf(saved, { separateBoot: true })).title, 'Fedora 6.9.12-200.fc40');
});

const scripts: readonly (readonly [string, string, string])[] = [
  ['quoting', `linux /boot/k "a b" c'd e' f\\ g "h\\"i"`, '"a b" "cd e" "f g" h\\"i'],
  ['variables', `set x="1 2"\nlinux /boot/k $x "$x" \${x}y \${none} "\${none}"`, '1 2 "1 2" 1 2y '],
  ['continued lines', 'linux /boot/k \\\n  a \\\n  b', 'a b'],
  ['comments', '# x\nlinux /boot/k a#b # c', 'a#b'],
  ['conditions', 'if [ "$x" = "" -a ! -f /nothing ]; then linux /boot/k yes; else linux /boot/k no; fi', 'yes'],
  [
    'elif',
    'if false; then linux /boot/k 1; elif test -n a -o -z a; then linux /boot/k 2; else linux /boot/k 3; fi',
    '2',
  ],
  [
    'loops',
    `for x in a b c; do last=$x; done\nwhile [ "$n" != xxx ]; do n="\${n}x"; done\nlinux /boot/k $last $n`,
    'c xxx',
  ],
  ['functions', 'function f { linux /boot/k $2 $1 $#; }\nf one two', 'two one 2'],
  [
    'probe',
    'probe --set=u --fs-uuid ($root)\nprobe -s p --part-uuid $root\nlinux /boot/k $u $p',
    `${identities.rootFs} ${identities.rootPart}`,
  ],
  [
    'regexp',
    `regexp --set=1:d '^([^,]*),gpt([0-9]+)' "$root"\nregexp -s 2:n '^([^,]*),gpt([0-9]+)' "$root"\nlinux /boot/k $d $n`,
    'hd0 3',
  ],
  [
    'search by file and label',
    'search --file --set=a /boot/k\nsearch.fs_label root b\nlinux /boot/k $a $b',
    'hd0,gpt3 hd0,gpt3',
  ],
  ['the kernel given twice', 'linux /boot/k 1\ninitrd /boot/i\nlinux16 ($root)/boot/k 2', '2'],
];
for (const [name, body, expected] of scripts) {
  test(`GRUB script: ${name}`, async () => assert.equal((await entryOf(simple(body))).commandLine, expected));
}

const broken: readonly (readonly [string, Record<string, TreeNode>, RegExp])[] = [
  ['no configuration', { 'etc/x': '' }, /no configuration for its boot loader/],
  ['no entry', { 'boot/grub/grub.cfg': 'set default=0\n' }, /makes no menu entry/],
  ['an entry without a kernel', simple('echo x'), /loads no kernel/],
  ['a kernel that is missing', simple('linux /boot/gone'), /loads \(hd0,gpt3\)\/boot\/gone, which does not exist/],
  ['an initrd that is missing', simple('linux /boot/k\ninitrd /boot/i /boot/gone'), /boot\/gone, which does not exist/],
  ['a kernel that is a dangling link', { ...simple('linux /boot/l'), 'boot/l': { link: 'gone' } }, /does not exist/],
  [
    'a filesystem that is not there',
    simple('search --fs-uuid --set=root aaaa-bbbb\nlinux ($x)/boot/k'),
    /looks for aaaa-bbbb/,
  ],
  ['a script that is cut off', simple('if true; then linux /boot/k'), /cannot be parsed/],
  ['an open quote', simple('linux "/boot/k'), /cannot be parsed/],
  ['a loop without end', simple('while true; do x=1; done\nlinux /boot/k'), /does not come to an end/],
  ['a function that calls itself', simple('function f { f; }\nf'), /calls itself/],
];
for (const [name, tree, expected] of broken) {
  test(`refuses ${name}`, async () => {
    await assert.rejects(entryOf(tree), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'boot_path_invalid');
      assert.match(error.message, expected);
      return true;
    });
  });
}

test('a hostile config outside the root is not read: /boot/grub is a link to the host', async () => {
  await assert.rejects(entryOf({ 'boot/grub': { link: '../../../../../../../../work/main/test/fixtures/grub' } }), {
    code: 'boot_path_invalid',
  });
});
