import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hashFile } from '../../../agent/reentry/fetch-installer.ts';
import { prepareGrubOnce } from '../../../agent/reentry/one-shot-grub.ts';
import { silentLogger } from '../../../core/base/logger.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { partitionBytes } from '../../../images/build/disk-plan.ts';
import { makeDisk } from '../../../images/build/make-disk.ts';
import { bootLayout } from '../../builders/boot-layout.ts';
import { Resources } from '../../resources.ts';
import { testGuest } from '../../vm/guest-initramfs.ts';
import { startVm } from '../../vm/qemu.ts';

const signal = AbortSignal.timeout(300_000);
const recipeGrubCfg = join(import.meta.dirname, '../../../images/debian/grub.cfg');

/** A disk with the GRUB of our images and an empty root. */
async function emptyDisk(resources: Resources): Promise<{ file: string; offsetBytes: number }> {
  const file = join(resources.tempDir(), 'disk.raw');
  const plan = await makeDisk({ file, sectorBytes: 512 });
  return { file, offsetBytes: partitionBytes(plan, plan.root).offset };
}

for (const firmware of ['seabios', 'ovmf'] as const) {
  test(`GRUB under ${firmware} starts the installer once, and the old system the next time`, async () => {
    await using resources = new Resources();
    const { file, offsetBytes } = await emptyDisk(resources);
    const guest = await testGuest();
    {
      await using building = new Resources();
      const { stdout } = await runCommand('losetup', ['--find', '--show', '-o', String(offsetBytes), file]);
      const loop = stdout.trim();
      building.defer('detach', async () => void (await runCommand('losetup', ['-d', loop])));
      const root = await building.mount(loop);
      copyFileSync(guest.file, join(root, 'boot/vmlinuz-1'));
      copyFileSync(guest.initrd, join(root, 'boot/initrd.img-1'));
      await runCommand('ln', ['-s', 'boot/vmlinuz-1', join(root, 'vmlinuz')]);
      await runCommand('ln', ['-s', 'boot/initrd.img-1', join(root, 'initrd.img')]);
      const config = readFileSync(recipeGrubCfg, 'utf8').replace('set timeout=3', 'set timeout=0');
      const dir = join(root, 'boot/grub');
      writeFileSync(join(dir, 'grub.cfg'), config.replaceAll(' ro ', ' ro marker=system panic=-1 '));
      const partitions = bootLayout(root).partitions.map((identity) => ({ identity, device: '', mountPoint: null }));
      const { sha256 } = await hashFile(guest.file, signal);
      const said = await prepareGrubOnce(
        {
          ...{ dir: '/boot/grub', root, disk: { path: '', partitions }, rootNumber: 3, bootNumber: null },
          ...{ esp: null, platform: firmware === 'seabios' ? 'pc' : 'efi' },
        },
        {
          installer: { path: guest.file, sha256, sizeBytes: statSync(guest.file).size },
          initrd: readFileSync(guest.initrd),
          commandLine: 'marker=installer panic=-1 console=tty0 console=ttyS0,115200',
        },
        { runDir: root, log: silentLogger, signal, note: () => undefined },
      );
      assert.match(said.said, /start it once/);
    }
    for (const expected of ['installer', 'system']) {
      const script = 'prove boot "{\\"cmdline\\": \\"$(cat /proc/cmdline)\\"}"';
      const name = `grub-once-${firmware}-${expected}`;
      const vm = await startVm(resources, {
        ...{ name, firmware, disks: [{ file, bootIndex: 0 }], network: null, fwCfg: { script } },
        extraArgs: ['-no-reboot'],
      });
      const { facts } = await vm.waitForProof('boot', { timeoutMs: 120_000 });
      assert.match(String(facts['cmdline']), new RegExp(`\\bmarker=${expected}\\b`));
      await vm.waitForPoweroff({ timeoutMs: 20_000 });
    }
  });
}
