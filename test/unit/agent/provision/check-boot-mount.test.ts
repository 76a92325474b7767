import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkBootMount } from '../../../../agent/provision/steps/separate-boot.ts';
import type { StepContext } from '../../../../agent/provision/types.ts';
import { partitionTypes } from '../../../../agent/rootfs/types.ts';
import { silentLogger } from '../../../../core/base/logger.ts';
import { bootLayout, identities } from '../../../builders/boot-layout.ts';
import { writeTree } from '../../../builders/rootfs-tree.ts';
import { Resources } from '../../../resources.ts';

const boot = { number: 4, device: '/dev/sda4', type: 'ext4' };

/** What is said of a root with this fstab; the partition that could be /boot has no type that says so. */
async function check(fstab: string, mounted: typeof boot | null, files: Record<string, string> = {}) {
  await using resources = new Resources();
  const root = resources.tempDir();
  writeTree(root, { 'etc/fstab': fstab, ...files });
  const partitions = bootLayout(root, { separateBoot: true }).partitions.map((partition) =>
    partition.typeGuid === partitionTypes.xbootldr ? { ...partition, typeGuid: 'plain' } : partition,
  );
  const warnings: string[] = [];
  const ctx: StepContext = {
    ...{ step: 'layer_extraction', signal: new AbortController().signal, log: silentLogger },
    progress: () => undefined,
    warn: (message) => void warnings.push(message),
    setDiskState: () => undefined,
  };
  checkBootMount(ctx, root, { rootNumber: 3, identities: partitions, boot: mounted });
  return warnings;
}

test('a /boot of the layers’ fstab that was not mounted ends the installation, in words of its own', async () => {
  for (const source of [`UUID=${identities.bootFs}`, `PARTUUID=${identities.bootPart}`]) {
    await assert.rejects(check(`${source} /boot ext4 defaults 0 2\n`, null), {
      code: 'image_not_provisionable',
      message: /mounts partition 4 on \/boot, but what is below it was written to partition 3: .*XBOOTLDR.*layer 0/,
    });
  }
  // noauto: its kernels are there all the same.
  await assert.rejects(check(`UUID=${identities.bootFs} /boot ext4 noauto 0 2\n`, null));
  const other = { ...boot, number: 5 };
  await assert.rejects(check(`UUID=${identities.bootFs} /boot ext4 defaults 0 2\n`, other), /written to partition 5/);
});

test('a /boot that is mounted, that is a folder of the root, or that fstab does not name is in order', async () => {
  assert.deepEqual(await check(`UUID=${identities.bootFs} /boot ext4 defaults 0 2\n`, boot), []);
  assert.deepEqual(await check(`UUID=${identities.rootFs} / ext4 defaults 0 1\n`, null, { 'boot/vmlinuz': 'x' }), []);
  assert.deepEqual(await check('', boot), []);
});

test('an EFI system partition on /boot, or a device of another name, is a warning where it hides something', async () => {
  const esp = `UUID=${identities.espFs} /boot vfat umask=0077 0 1\n`;
  assert.deepEqual(await check(esp, null), []);
  for (const fstab of [esp, '/dev/vda4 /boot ext4 defaults 0 2\n']) {
    const [warning = ''] = await check(fstab, null, { 'boot/vmlinuz': 'x' });
    assert.match(warning, /mounts (UUID=1234-ABCD|\/dev\/vda4) on \/boot, which hides what the image has below it/);
  }
  // It may well be what is mounted.
  assert.deepEqual(await check('/dev/vda4 /boot ext4 defaults 0 2\n', boot, { 'boot/vmlinuz': 'x' }), []);
});
