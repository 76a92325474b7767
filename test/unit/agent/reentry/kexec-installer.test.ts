import assert from 'node:assert/strict';
import { existsSync, fstatSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  initObstacle,
  installerUsableMib,
  kexecInstallerObstacle,
  loadInstaller,
  unloadInstaller,
} from '../../../../agent/reentry/kexec-installer.ts';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { minimumMemory } from '../../../../initramfs/minimum-memory.ts';
import { type TreeNode, writeTree } from '../../../builders/rootfs-tree.ts';
import { Resources } from '../../../resources.ts';

const mib = 1024 * 1024;
const healthy: Record<string, TreeNode> = {
  'sys/kernel/kexec_loaded': '0\n',
  'sys/kernel/security/lockdown': '[none] integrity confidentiality\n',
  'proc/sys/kernel/kexec_load_disabled': '0\n',
  'proc/meminfo': 'MemTotal: 2000000 kB\nMemAvailable: 1000000 kB\n',
};

function machine(resources: Resources, more: Record<string, TreeNode | null> = {}) {
  const dir = resources.tempDir();
  const tree = Object.entries({ ...healthy, ...more }).filter(
    (entry): entry is [string, TreeNode] => entry[1] !== null,
  );
  writeTree(dir, Object.fromEntries(tree));
  writeFileSync(join(dir, 'vmlinuz'), 'kernel');
  return { dir, facts: { sysDir: join(dir, 'sys'), procDir: join(dir, 'proc') } };
}

test("the installer's need of memory is stated once", () => {
  assert.equal(installerUsableMib, minimumMemory.usableMib);
});

const against: readonly (readonly [string, Record<string, TreeNode | null>, RegExp | null])[] = [
  ['nothing', {}, null],
  ['F55 lockdown', { 'sys/kernel/security/lockdown': 'none [integrity]\n' }, /locked down \(integrity\)/],
  ['kexec switched off', { 'proc/sys/kernel/kexec_load_disabled': '1\n' }, /switched off/],
  ['NVIDIA', { 'sys/bus/pci/devices/a/class': '0x030200\n', 'sys/bus/pci/devices/a/vendor': '0x10de\n' }, /NVIDIA/],
  ['little free', { 'proc/meminfo': 'MemTotal: 2000000 kB\nMemAvailable: 190000 kB\n' }, /185 MiB .* needs 224 MiB/],
  ['little memory', { 'proc/meminfo': 'MemTotal: 400000 kB\nMemAvailable: 380000 kB\n' }, /390 MiB .* needs 400 MiB/],
  ['no kexec', { 'sys/kernel/kexec_loaded': null }, /built without kexec/],
];
for (const [name, more, expected] of against) {
  test(`kexec into the installer, against it: ${name}`, async () => {
    await using resources = new Resources();
    const obstacle = kexecInstallerObstacle(80 * mib, machine(resources, more).facts);
    if (expected === null) assert.equal(obstacle, null);
    else assert.match(obstacle ?? '', expected);
  });
}

/** The kernel's side: notes what it is given, and says in sysfs that it is loaded. */
function kernel(dir: string, says: string) {
  const calls: unknown[] = [];
  const kexecFileLoad = async (kernelFd: number, initrdFd: number, line: Buffer, flags: number): Promise<void> => {
    const text = (fd: number) => (fd === -1 ? null : readFileSync(fd, 'utf8'));
    const mode = initrdFd === -1 ? null : fstatSync(initrdFd).mode & 0o777;
    calls.push([text(kernelFd), text(initrdFd), mode, line.toString(), flags]);
    writeFileSync(join(dir, 'sys/kernel/kexec_loaded'), says);
  };
  return { calls, call: { kexecFileLoad } };
}

test('kernel, initrd and command line are given to the kernel; the initrd is in no file afterwards', async () => {
  await using resources = new Resources();
  const { dir, facts } = machine(resources);
  const { calls, call } = kernel(dir, '1\n');
  const files = {
    kernel: { path: join(dir, 'vmlinuz'), sizeBytes: 6 },
    initrd: Buffer.from('state'),
    commandLine: 'a=b',
  };
  const runDir = join(dir, 'run');
  await loadInstaller(files, { runDir, facts, call });
  assert.deepEqual(calls, [['kernel', 'state', 0o600, 'a=b', 0]]);
  assert.ok(!existsSync(join(runDir, 'carried.img')));
  await unloadInstaller({ facts, call });
  assert.deepEqual(calls[1], [null, null, null, '', 5]);
  const silent = kernel(dir, '0\n');
  const isRefused = (error: unknown) =>
    error instanceof ProvisionError && /does not say that it is loaded/.test(error.message);
  await assert.rejects(loadInstaller(files, { runDir, facts, call: silent.call }), isRefused);
  const locked = {
    kexecFileLoad: async () => {
      throw Object.assign(new Error('EKEYREJECTED'), { code: 'EKEYREJECTED' });
    },
  };
  await assert.rejects(loadInstaller(files, { runDir, facts, call: locked }), /wants a signature by a key/);
  assert.ok(!existsSync(join(runDir, 'carried.img')));
});

test('a systemd that cannot start a loaded kernel without the program kexec is known', () => {
  assert.equal(initObstacle('systemd 252 (252.39-1~deb12u1)\n+PAM', false), null);
  assert.match(initObstacle('systemd 239 (239-82.el8)\n', false) ?? '', /^systemd 239 needs the program kexec/);
  assert.match(initObstacle('', false) ?? '', /^the init of this system needs the program kexec/);
  assert.equal(initObstacle('systemd 239 (239-82.el8)\n', true), null);
});
