import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import { makeBootDisk, smallestSystem, writeBootImage } from '../builders/boot-image.ts';
import { cachedRoot } from '../builders/machine-root.ts';
import { startRegistry } from '../builders/registry.ts';
import type { Resources } from '../resources.ts';
import { testGuest } from './guest-initramfs.ts';
import { startVm } from './qemu.ts';
import type { VmDisk } from './qemu-arguments.ts';

/**
 * An image that takes half of what the recipe's Debian takes in software emulation to be installed and booted: GRUB, Debian's
 * kernel, a Debian of few packages, and an initrd that does not go on to systemd but runs a test's script. Gives the
 * reference for guests, in a registry of its own.
 */
export async function pushSmallSystem(resources: Resources): Promise<string> {
  const root = join(resources.tempDir(), 'root.tar');
  await runCommand('zstd', ['-q', '-d', await cachedRoot(), '-o', root]);
  const guest = await testGuest({ tools: ['blkid'] });
  const boot: Readonly<Record<string, Buffer>> = {
    'boot/vmlinuz-1': readFileSync(guest.file),
    'boot/initrd.img-1': readFileSync(guest.initrd),
  };
  const { reference } = await writeBootImage(resources, {
    disk: await makeBootDisk(resources),
    layers: [readFileSync(root)],
    system: smallestSystem.map((entry) => {
      const data = boot[entry.name ?? ''];
      return data === undefined ? entry : { ...entry, data };
    }),
  });
  const registry = await startRegistry(resources);
  return (await registry.push(reference, 'small:1')).replace('127.0.0.1', '10.0.2.2');
}

/**
 * Boots a disk with that image under OVMF, by its own GRUB and kernel. Throws unless every file of its packages has the
 * contents that dpkg knows of it, and the agent there runs. Gives the seconds from power-on to power-off.
 */
export async function bootSmallSystem(resources: Resources, disk: Pick<VmDisk, 'file' | 'format'>): Promise<number> {
  const vm = await startVm(resources, {
    name: 'small-system',
    firmware: 'ovmf',
    disks: [{ ...disk, bootIndex: 0 }],
    network: null,
    fwCfg: {
      script: `
        uuid=$(sed -n -E 's/.*root=UUID=([^ ]*).*/\\1/p' /proc/cmdline)
        mount -o ro "$(blkid -U "$uuid")" /mnt
        mount --bind /proc /mnt/proc
        # The image leaves translations and documentation out.
        sums() { cat /mnt/var/lib/dpkg/info/*.md5sums | grep -v -E ' usr/share/(doc|locale)/'; }
        sums | chroot /mnt /usr/bin/md5sum -c --quiet -
        agent=$(chroot /mnt /usr/local/bin/durantic version)
        prove installed "{\\"files\\":$(sums | wc -l),\\"agent\\":\\"$agent\\"}"`,
    },
  });
  const { facts } = await vm.waitForProof('installed', { timeoutMs: 180_000, bootsFromDisk: true });
  assert.ok(Number(facts['files']) > 1000, `only ${String(facts['files'])} files have sums`);
  assert.match(String(facts['agent']), /^durantic \d+\.\d+\.\d+ /);
  await vm.waitForPoweroff({ timeoutMs: 60_000 });
  return vm.seconds;
}
