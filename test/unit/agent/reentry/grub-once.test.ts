import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { grubVariable, withGrubVariable } from '../../../../agent/reentry/grub-environment.ts';
import { nothingPlaced, type OneShotFiles, type Placed } from '../../../../agent/reentry/one-shot.ts';
import { type GrubPlace, prepareGrubOnce, removeGrubOnce } from '../../../../agent/reentry/one-shot-grub.ts';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { silentLogger } from '../../../../core/base/logger.ts';
import { runCommand } from '../../../../core/base/run-command.ts';
import { bootLayout } from '../../../builders/boot-layout.ts';
import { type TreeNode, writeTree } from '../../../builders/rootfs-tree.ts';
import { Resources } from '../../../resources.ts';

const fixture = (path: string): string => readFileSync(join(import.meta.dirname, '../../../..', path), 'utf8');
const kernel = Buffer.from('the installer');
const commandLine = 'console=ttyS0,115200 durantic.server=https://10.0.0.1:8443 ip=[fd00::2]::[fd00::1]:64:::none';
const kernels: Record<string, TreeNode> = {
  'boot/vmlinuz-6.1.0-18-amd64': 'k18',
  'boot/initrd.img-6.1.0-18-amd64': 'i18',
  vmlinuz: { link: 'boot/vmlinuz-6.1.0-18-amd64' },
  'initrd.img': { link: 'boot/initrd.img-6.1.0-18-amd64' },
};

interface System {
  readonly place: GrubPlace;
  readonly files: OneShotFiles;
  readonly noted: Placed[];
  readonly path: (name: string) => string;
  prepare(): Promise<string>;
}

/** A system with this grub.cfg in its root. */
function system(resources: Resources, config: string, more: Record<string, TreeNode> = {}): System {
  const root = resources.tempDir();
  writeTree(root, { ...kernels, 'boot/grub/grub.cfg': config, ...more });
  writeFileSync(join(root, 'installer'), kernel);
  const layout = bootLayout(root);
  const partitions = layout.partitions.map((identity) => ({ identity, device: '/dev/none', mountPoint: null }));
  const disk = { path: '/dev/none', partitions };
  const place: GrubPlace = {
    ...{ dir: '/boot/grub', root, disk, rootNumber: 3, bootNumber: null, espFiles: new Map(), platform: 'pc' },
  };
  const sha256 = createHash('sha256').update(kernel).digest('hex');
  const installer = { path: join(root, 'installer'), sha256, sizeBytes: kernel.length };
  const files = { installer, initrd: Buffer.from('state'), commandLine };
  const noted: Placed[] = [];
  const context = { runDir: root, log: silentLogger, signal: new AbortController().signal };
  const note = (placed: Placed): void => void noted.push(placed);
  return {
    ...{ place, files, noted },
    path: (name) => join(root, 'boot/grub', name),
    prepare: async () => (await prepareGrubOnce(place, files, { ...context, note })).said,
  };
}

const unreachable = (expected: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ProvisionError && error.code === 'installer_unreachable');
  assert.match(error.message, expected);
  return true;
};

for (const [name, config] of [
  ["a generated grub.cfg of Debian's", fixture('test/fixtures/grub/debian-12-grub.cfg')],
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
  const { prepare, path } = system(resources, fixture('test/fixtures/grub/debian-12-grub.cfg'), {
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
