import assert from 'node:assert/strict';
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { native } from '../../../agent/native/load-native.ts';
import { buildPax, buildTar } from '../../builders/tar-builder.ts';
import { sparseFormats } from '../../builders/tar-sparse.ts';
import { readTree } from '../../tree.ts';
import { Arena } from './arena.ts';
import { entryStacks } from './entry-stacks.ts';

let arena: Arena;
before(async () => {
  arena = await Arena.open();
});
after(async () => {
  await arena[Symbol.asyncDispose]();
});

describe('trees equal to umoci', () => {
  for (const [name, layers] of Object.entries(entryStacks)) {
    it(name, async () => {
      await arena.newCase().assertEqual(layers.map((entries) => buildTar(entries)));
    });
  }
});

describe('what umoci does not take, or does not show', () => {
  it('F46 SELinux labels of a layer are set, which umoci leaves to the host of a container', async () => {
    const one = arena.newCase();
    const label = 'system_u:object_r:bin_t:s0';
    const pax = [['SCHILY.xattr.security.selinux', label]] as const;
    const layer = [
      { name: 'd', typeflag: '5', mode: 0o755, pax },
      { name: 'd/f', pax },
      { name: 'l', typeflag: '2', linkName: 'd/f', pax },
    ];
    const [result] = await one.extract([buildTar(layer)]);
    assert.deepEqual(result?.warnings, []);
    for (const name of ['d', 'd/f', 'l']) {
      assert.equal(native.lgetxattr(join(one.root, name), 'security.selinux').toString(), label);
    }
  });

  it('F46 an xattr of overlayfs is left out, which is said', async () => {
    const one = arena.newCase();
    const entry = { name: 'f', pax: [['SCHILY.xattr.trusted.overlay.opaque', 'y']] as const };
    const [result] = await one.extract([buildTar([entry, { ...entry, name: 'g' }])]);
    assert.match(result?.warnings.join() ?? '', /trusted\.overlay\.opaque of 2 entries is not set, for example of f/);
  });

  it('F46 a label that layer 0 gave stays when a layer describes the folder anew, other xattrs go', async () => {
    const one = arena.newCase();
    const folder = buildTar([{ name: 'd', typeflag: '5', mode: 0o700 }]);
    await one.extract([folder]);
    native.lsetxattr(join(one.root, 'd'), 'security.selinux', Buffer.from('label'), 0);
    native.lsetxattr(join(one.root, 'd'), 'trusted.other', Buffer.from('x'), 0);
    await one.extract([folder]);
    assert.deepEqual(native.llistxattr(join(one.root, 'd')), ['security.selinux']);
  });

  it('a global PAX header is ignored, with a warning when it says something', async () => {
    const one = arena.newCase();
    const comment = buildPax([['comment', 'commit']], 'g');
    const mtime = buildPax([['mtime', '5']], 'g');
    const results = await one.extract([buildTar([comment, { name: 'a' }]), buildTar([mtime, { name: 'b' }])]);
    assert.deepEqual(
      results.map(({ warnings }) => warnings.length),
      [0, 1],
    );
    assert.equal(readTree(one.root).get('b')?.mtimeNs, 1_600_000_000n * 10n ** 9n);
  });

  it('F50 a sparse file in old GNU format, with extension blocks, has its holes', async () => {
    const one = arena.newCase();
    const pieces = Array.from({ length: 60 }, (_, index) => ({ offset: index * 100_000, data: `piece ${index}` }));
    const build = sparseFormats['old GNU'];
    assert.ok(build);
    await one.extract([buildTar([build('sparse', 8_000_000, pieces), { name: 'after' }])]);
    const stat = lstatSync(join(one.root, 'sparse'));
    assert.equal(stat.size, 8_000_000);
    assert.ok(stat.blocks * 512 < 1_000_000, `${stat.blocks} blocks`);
    assert.deepEqual([...readTree(one.root).keys()], ['.', 'after', 'sparse']);
  });

  for (const [format, build] of Object.entries(sparseFormats)) {
    it(`F50 sparse ${format}: content and holes`, async () => {
      const one = arena.newCase();
      const real = Buffer.alloc(3_000_000);
      real.write('middle', 1_234_567);
      real.write('late', 2_900_000);
      const pieces = [
        { offset: 1_234_567, data: 'middle' },
        { offset: 2_900_000, data: 'late' },
      ];
      await one.extract([buildTar([build('sparse', real.length, pieces)])]);
      await one.extract([buildTar([{ name: 'dense', data: real }])]);
      const tree = readTree(one.root);
      assert.equal(tree.get('sparse')?.sha256, tree.get('dense')?.sha256);
      assert.ok(lstatSync(join(one.root, 'sparse')).blocks < 64);
    });
  }

  it('counts entries, whiteouts and what lies below mount points', async () => {
    const one = arena.newCase();
    const layer = buildTar([
      { name: 'boot/efi/EFI/BOOTX64.EFI', data: '12345' },
      { name: 'boot/efi', typeflag: '5' },
      { name: 'boot/efix', data: 'x' },
      { name: '.wh.gone' },
    ]);
    const [result] = await one.extract([layer], { hiddenBelow: ['boot/efi'] });
    assert.deepEqual(result, {
      entries: 4,
      whiteouts: 1,
      fileBytes: 6,
      hidden: { count: 1, example: 'boot/efi/EFI/BOOTX64.EFI' },
      warnings: [],
    });
  });

  it('junk after the end marker is taken and ignored', async () => {
    const one = arena.newCase();
    await one.extract([Buffer.concat([buildTar([{ name: 'f' }]), Buffer.alloc(30_000, 'junk')])]);
    assert.deepEqual([...readTree(one.root).keys()], ['.', 'f']);
  });
});
