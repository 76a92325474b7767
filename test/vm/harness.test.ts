import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Resources } from '../resources.ts';
import { provisionTools, testGuest } from './guest-initramfs.ts';
import { startVm } from './qemu.ts';

for (const firmware of ['seabios', 'ovmf'] as const) {
  test(`a test guest under ${firmware} proves itself and its disk holds what it wrote`, async () => {
    await using resources = new Resources();
    const disk = resources.sparseFile(64 * 1024 * 1024);
    const script = `
      disk=$(disk_of SERIAL1)
      printf hello-from-the-guest | dd of="$disk" bs=1 seek=1048576 conv=notrunc,fsync
      sgdisk -n 1:4096:0 "$disk"
      prove write-disk "{\\"sectors\\": $(cat /sys/class/block/\${disk##*/}/size), \\"partitions\\": $(ls -d /sys/class/block/\${disk##*/}[0-9]* | wc -l), \\"efi\\": $([ -d /sys/firmware/efi ] && echo true || echo false)}"`;
    const kernel = await testGuest({ tools: provisionTools });
    const vm = await startVm(resources, {
      name: `harness-${firmware}`,
      firmware,
      kernel,
      disks: [{ file: disk, serial: 'SERIAL1' }],
      fwCfg: { script },
      extraArgs: ['-no-reboot'],
    });
    const proof = await vm.waitForProof('write-disk', { timeoutMs: 60_000 });
    await vm.waitForPoweroff({ timeoutMs: 20_000 });
    console.log(vm.seconds, proof, vm.console);
    assert.deepEqual(proof.facts, { sectors: 131072, partitions: 1, efi: firmware === 'ovmf' });
    assert.equal(
      readFileSync(disk)
        .subarray(1048576, 1048576 + 20)
        .toString(),
      'hello-from-the-guest',
    );
  });
}
