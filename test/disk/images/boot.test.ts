import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { fixedIdentities, partitionBytes } from '../../../images/build/disk-plan.ts';
import { makeDisk } from '../../../images/build/make-disk.ts';
import { Resources } from '../../resources.ts';
import { testGuest } from '../../vm/guest-initramfs.ts';
import { startVm, type Vm } from '../../vm/qemu.ts';
import type { VmDisk } from '../../vm/qemu-arguments.ts';

const recipeGrubCfg = join(import.meta.dirname, '../../../images/debian/grub.cfg');

/**
 * A layer 0 whose root has the kernel and initrd of a test guest and the grub.cfg of the Debian recipes, with
 * `marker=NAME` on the kernel command line.
 */
async function bootableDisk(resources: Resources, marker: string, sectorBytes: 512 | 4096): Promise<string> {
  const dir = resources.tempDir();
  const file = join(dir, `${marker}.raw`);
  const plan = await makeDisk({ file, sectorBytes });
  const guest = await testGuest();
  const grubCfg = readFileSync(recipeGrubCfg, 'utf8')
    .replace('set timeout=3', 'set timeout=0')
    .replaceAll(' ro ', ` ro marker=${marker} panic=-1 `);
  writeFileSync(join(dir, 'grub.cfg'), grubCfg);
  copyFileSync(guest.file, join(dir, 'vmlinuz'));
  copyFileSync(guest.initrd, join(dir, 'initrd'));
  const commands = [
    `write ${dir}/vmlinuz /boot/vmlinuz-1`,
    `write ${dir}/initrd /boot/initrd.img-1`,
    'symlink /vmlinuz boot/vmlinuz-1',
    'symlink /initrd.img boot/initrd.img-1',
    `write ${dir}/grub.cfg /boot/grub/grub.cfg`,
  ];
  writeFileSync(join(dir, 'commands'), `${commands.join('\n')}\n`);
  const { offset } = partitionBytes(plan, plan.root);
  await runCommand('debugfs', ['-w', '-f', join(dir, 'commands'), `${file}?offset=${offset}`]);
  return file;
}

async function start(resources: Resources, name: string, firmware: 'seabios' | 'ovmf', disks: VmDisk[]): Promise<Vm> {
  const script =
    'prove boot "{\\"cmdline\\": \\"$(cat /proc/cmdline)\\", ' +
    '\\"efi\\": $([ -d /sys/firmware/efi ] && echo true || echo false)}"';
  const options = { name, firmware, disks, network: null, fwCfg: { script }, extraArgs: ['-no-reboot'] };
  return await startVm(resources, options);
}

const cases = [
  { name: 'SeaBIOS', firmware: 'seabios', sectorBytes: 512, bus: 'virtio' },
  { name: 'OVMF', firmware: 'ovmf', sectorBytes: 512, bus: 'virtio' },
  { name: 'OVMF from a 4096-byte NVMe disk', firmware: 'ovmf', sectorBytes: 4096, bus: 'nvme' },
] as const;

for (const { name, firmware, sectorBytes, bus } of cases) {
  test(`layer 0 boots under ${name}, its own root even beside a clone with the same identifiers`, async () => {
    await using resources = new Resources();
    const [clone, own] = [
      await bootableDisk(resources, 'clone', sectorBytes),
      await bootableDisk(resources, 'own', sectorBytes),
    ];
    // The clone comes first on the bus; the firmware is told to start the other.
    const vm = await start(resources, `layer-zero-${firmware}-${sectorBytes}`, firmware, [
      { file: clone, sectorBytes, bus, serial: 'CLONE' },
      { file: own, sectorBytes, bus, serial: 'OWN', bootIndex: 0 },
    ]);
    const { facts } = await vm.waitForProof('boot', { timeoutMs: 120_000 });
    const words = String(facts['cmdline']).split(' ');
    assert.ok(words.includes('marker=own'), words.join(' '));
    assert.ok(words.includes(`root=UUID=${fixedIdentities.rootUuid}`), words.join(' '));
    assert.equal(facts['efi'], firmware === 'ovmf');
    await vm.waitForPoweroff({ timeoutMs: 20_000 });
  });
}

for (const firmware of ['seabios', 'ovmf'] as const) {
  test(`a root without grub.cfg is told on the console under ${firmware}, and Enter looks again`, async () => {
    await using resources = new Resources();
    const file = join(resources.tempDir(), 'disk.raw');
    await makeDisk({ file, sectorBytes: 512 });
    const vm = await start(resources, `no-grub-cfg-${firmware}`, firmware, [{ file, bootIndex: 0 }]);
    const message = /nothing to start: \(hd0,gpt3\)\/boot\/grub\/grub\.cfg is missing[\s\S]*Enter looks again/g;
    await vm.waitForConsole(message, { timeoutMs: 60_000 });
    await vm.type('\r');
    const twice = /nothing to start[\s\S]*Enter looks again[\s\S]*nothing to start[\s\S]*Enter looks again/;
    await vm.waitForConsole(twice, { timeoutMs: 20_000 });
    await vm.quit();
  });
}
