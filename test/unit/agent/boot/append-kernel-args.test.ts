import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type AppendKernelArgsResult, appendKernelArgs } from '../../../../agent/boot/append-kernel-args.ts';
import { readBootEntry } from '../../../../agent/boot/read-boot-entry.ts';
import { bootLayout } from '../../../builders/boot-layout.ts';
import { quietContext, type TreeNode, writeTree } from '../../../builders/rootfs-tree.ts';
import { Resources } from '../../../resources.ts';

async function append(
  tree: Record<string, TreeNode>,
  args: readonly string[],
): Promise<AppendKernelArgsResult & { root: string; read: (path: string) => string }> {
  const resources = new Resources();
  test.after(() => resources[Symbol.asyncDispose]());
  const root = resources.tempDir();
  writeTree(root, tree);
  const result = await appendKernelArgs({ root, espDevice: null, args }, quietContext);
  return { ...result, root, read: (path) => readFileSync(join(root, path), 'utf8') };
}

const grub =
  'menuentry a {\n\tlinux\t/boot/k root=x quiet\n\tinitrd /boot/i\n}\nmenuentry b {\n  linuxefi /boot/k \\\n    a=b\n}\n';

test('every linux line of grub.cfg, and nothing else of it', async () => {
  const { read, changed } = await append({ 'boot/grub/grub.cfg': grub }, ['console=ttyS0,115200', 'x']);
  const expected = grub.replace('quiet', 'quiet console=ttyS0,115200 x').replace('a=b', 'a=b console=ttyS0,115200 x');
  assert.equal(read('boot/grub/grub.cfg'), expected);
  assert.deepEqual(changed, ['/boot/grub/grub.cfg']);
});

test('a second time changes nothing', async () => {
  const first = await append({ 'boot/grub/grub.cfg': grub, 'etc/default/grub': 'A=1\n' }, ['x=1']);
  const again = await appendKernelArgs({ root: first.root, espDevice: null, args: ['x=1'] }, quietContext);
  assert.deepEqual(again.changed, []);
});

for (const arg of ['ds=nocloud;s=/x', 'a="b c"', "it's", 'x=$HOME', 'a{b}']) {
  test(`the parameter ${arg} reaches the kernel's command line as GRUB passes it`, async () => {
    const { root } = await append({ 'boot/grub/grub.cfg': grub, 'boot/k': 'k', 'boot/i': 'i' }, [arg]);
    const entry = await readBootEntry(bootLayout(root), 'pc', quietContext);
    const escaped = arg.replace(/["'\\]/g, '\\$&');
    assert.equal(entry.commandLine, `root=x quiet ${arg.includes(' ') ? `"${escaped}"` : escaped}`);
  });
}

test("loader entries, /etc/kernel/cmdline, extlinux and GRUB's defaults", async () => {
  const { read } = await append(
    {
      'boot/loader/entries/a.conf': 'title a\nlinux /k\noptions root=x\n',
      'boot/loader/entries/b.conf': 'title b\nlinux /k\n',
      'boot/extlinux/extlinux.conf': 'LABEL l\n  KERNEL /k\n  APPEND root=x\n',
      'etc/kernel/cmdline': 'root=x quiet\n',
      'etc/default/grub': 'GRUB_CMDLINE_LINUX="quiet"',
    },
    ['x=$1'],
  );
  assert.equal(read('boot/loader/entries/a.conf'), 'title a\nlinux /k\noptions root=x x=$1\n');
  assert.equal(read('boot/loader/entries/b.conf'), 'title b\nlinux /k\noptions x=$1\n');
  assert.match(read('boot/extlinux/extlinux.conf'), /APPEND root=x x=\$1\n/);
  assert.equal(read('etc/kernel/cmdline'), 'root=x quiet x=$1\n');
  assert.match(read('etc/default/grub'), /\nGRUB_CMDLINE_LINUX="\$GRUB_CMDLINE_LINUX x=\\\$1"\n$/);
});

test('an image that sets the command line in grub.d gets a file that comes after', async () => {
  const { read, changed } = await append(
    {
      'etc/default/grub': 'A=1\n',
      'etc/default/grub.d/50-cloudimg.cfg': 'GRUB_CMDLINE_LINUX="c"\n',
      'boot/grub/grub.cfg': grub,
    },
    ['x'],
  );
  assert.match(read('etc/default/grub.d/99-durantic.cfg'), /^GRUB_CMDLINE_LINUX="\$GRUB_CMDLINE_LINUX x"$/m);
  assert.equal(read('etc/default/grub'), 'A=1\n');
  assert.ok(changed.includes('/etc/default/grub.d/99-durantic.cfg'));
});

test('says so when there was no entry to change, and refuses what is no parameter', async () => {
  assert.equal((await append({ 'etc/default/grub': 'A=1\n' }, ['x'])).warnings.length, 1);
  assert.deepEqual((await append({}, [])).warnings, []);
  await assert.rejects(append({}, ['a\nb']), { code: 'usage' });
  await assert.rejects(append({}, [' ']), { code: 'usage' });
});
