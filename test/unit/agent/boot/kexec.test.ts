import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bootFilesBytes, copyBootFiles, decideKexec, loadKexec } from '../../../../agent/boot/kexec.ts';
import type { BootEntry } from '../../../../agent/boot/read-boot-entry.ts';
import { rebootCommand } from '../../../../agent/boot/reboot.ts';
import { bootLayout } from '../../../builders/boot-layout.ts';
import { quietContext, type TreeNode, writeTree } from '../../../builders/rootfs-tree.ts';
import { Resources } from '../../../resources.ts';

const entry: BootEntry = {
  loader: 'grub',
  configPath: '/boot/grub/grub.cfg',
  title: 'x',
  kernel: { on: 'root', path: '/boot/k' },
  initrds: [
    { on: 'root', path: '/boot/u' },
    { on: 'root', path: '/boot/i' },
  ],
  commandLine: 'root=x ro "a b"',
  isLocked: false,
};
const mib = 1024 * 1024;
const healthy: Record<string, TreeNode> = {
  'sys/kernel/security/lockdown': '[none] integrity confidentiality\n',
  'sys/bus/pci/devices/0000:00:02.0/class': '0x030000\n',
  'sys/bus/pci/devices/0000:00:02.0/vendor': '0x8086\n',
  'proc/sys/kernel/kexec_load_disabled': '0\n',
  'proc/meminfo': `MemTotal: 4096000 kB\nMemAvailable: ${1024 * 1024} kB\n`,
  'bin/kexec': { mode: 0o755, data: '#!/bin/sh\nfor a in "$@"; do echo "$a"; done >"$(dirname "$0")/../calls"\n' },
};
const secureBoot = 'sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c';

async function withMachine<T>(tree: Record<string, TreeNode>, use: (dir: string) => Promise<T> | T): Promise<T> {
  await using resources = new Resources();
  const dir = resources.tempDir();
  writeTree(dir, tree);
  const path = process.env['PATH'];
  process.env['PATH'] = `${join(dir, 'bin')}:${path}`;
  try {
    return await use(dir);
  } finally {
    process.env['PATH'] = path;
  }
}

async function decide(
  tree: Record<string, TreeNode>,
  need: Partial<Parameters<typeof decideKexec>[0]> = {},
): Promise<{ useKexec: boolean; reason: string }> {
  return await withMachine(tree, (dir) =>
    decideKexec(
      { requested: true, entry, filesBytes: 100 * mib, ...need },
      { sysDir: join(dir, 'sys'), procDir: join(dir, 'proc') },
    ),
  );
}

test('kexec where nothing speaks against it', async () => {
  assert.equal((await decide(healthy)).useKexec, true);
});

const against: readonly (readonly [string, Record<string, TreeNode>, RegExp])[] = [
  [
    'F55 lockdown',
    { 'sys/kernel/security/lockdown': 'none [integrity] confidentiality\n' },
    /locked down \(integrity\)/,
  ],
  ['F55 Secure Boot', { [secureBoot]: Buffer.from([6, 0, 0, 0, 1]) }, /Secure Boot is on/],
  ['kexec_load_disabled', { 'proc/sys/kernel/kexec_load_disabled': '1\n' }, /switched off/],
  ['an NVIDIA display adapter', { 'sys/bus/pci/devices/0000:00:02.0/vendor': '0x10de\n' }, /NVIDIA/],
  [
    'too little memory',
    { 'proc/meminfo': 'MemAvailable: 400000 kB\n' },
    /390 MiB of memory are available, kexec needs 456 MiB/,
  ],
];
for (const [name, files, expected] of against) {
  test(`${name}: a reboot, with the reason`, async () => {
    const decision = await decide({ ...healthy, ...files });
    assert.equal(decision.useKexec, false);
    assert.match(decision.reason, expected);
  });
}

test('Secure Boot that is off, and an NVIDIA device that is no display, do not matter', async () => {
  const audio = {
    'sys/bus/pci/devices/0000:01:00.1/class': '0x040300\n',
    'sys/bus/pci/devices/0000:01:00.1/vendor': '0x10de\n',
  };
  assert.equal((await decide({ ...healthy, ...audio, [secureBoot]: Buffer.from([6, 0, 0, 0, 0]) })).useKexec, true);
});

test('not asked for, or a unified image: a reboot', async () => {
  assert.equal((await decide(healthy, { requested: false })).useKexec, false);
  assert.equal((await decide(healthy, { entry: { ...entry, loader: 'unified kernel image' } })).useKexec, false);
});

test('kernel and initrds are copied, joined with padding, loaded, and removed', async () => {
  const tree = { ...healthy, 'root/boot/k': 'kernel', 'root/boot/u': 'ucode', 'root/boot/i': 'initrd' };
  await withMachine(tree, async (dir) => {
    const layout = bootLayout(join(dir, 'root'));
    assert.equal(await bootFilesBytes(entry, layout, quietContext), 17);
    const ramDir = join(dir, 'ram');
    {
      using files = await copyBootFiles(entry, { layout, ramDir }, quietContext);
      assert.equal(readFileSync(files.kernel, 'utf8'), 'kernel');
      assert.equal(readFileSync(files.initrd ?? '', 'utf8'), 'ucode\0\0\0initrd\0\0');
      await loadKexec(files, quietContext);
      const args = readFileSync(join(dir, 'calls'), 'utf8').trim().split('\n');
      assert.deepEqual(args, ['-s', '-l', files.kernel, '--command-line=root=x ro "a b"', `--initrd=${files.initrd}`]);
    }
    assert.equal(existsSync(ramDir), false);
  });
});

test('a kernel that the system refuses is an error', async () => {
  const refusing = { mode: 0o755, data: '#!/bin/sh\necho "kexec_file_load failed: Permission denied" >&2\nexit 255\n' };
  await withMachine({ 'bin/kexec': refusing }, async (dir) => {
    const files = { dir, kernel: '/k', initrd: null, commandLine: '', [Symbol.dispose]: () => undefined };
    await assert.rejects(loadKexec(files, quietContext), { code: 'tool_failed', message: /Permission denied/ });
  });
});

test('leaves the system through systemd where it is the init', () => {
  assert.deepEqual(rebootCommand('reboot', true), ['systemctl', 'reboot']);
  assert.deepEqual(rebootCommand('kexec', true), ['systemctl', 'kexec']);
  assert.deepEqual(rebootCommand('reboot', false), ['reboot', '-f']);
  assert.deepEqual(rebootCommand('kexec', false), ['kexec', '-e', '-x']);
});
