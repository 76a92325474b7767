import assert from 'node:assert/strict';
import { test } from 'node:test';
import { minimumMemory } from '../../initramfs/minimum-memory.ts';
import { Resources } from '../resources.ts';
import { installerAsset } from '../vm/installer-assets.ts';
import { startVm } from '../vm/qemu.ts';
import type { Firmware } from '../vm/qemu-arguments.ts';

const stepMib = 8;

/** Whether a machine with this much memory gets as far as to say something of the installer's own. */
async function isHeard(firmware: Firmware, memoryMib: number): Promise<boolean> {
  await using resources = new Resources();
  const vm = await startVm(resources, {
    ...{ name: `floor-${memoryMib}`, firmware, memoryMib, network: null },
    // Messages of the kernel, which otherwise starts quietly: the first stage's are among them.
    kernel: { file: installerAsset('vmlinuz'), append: 'loglevel=7' },
    extraArgs: ['-no-reboot'],
  });
  const own = /too little memory: have \d+ MiB|durantic: second stage is mounted/;
  // A firmware that cannot load the kernel says nothing at all, or starts over.
  const [, first] = await vm
    .waitForConsole(new RegExp(`(${own.source})|Kernel panic`), { timeoutMs: 45_000 })
    .catch(() => [null, undefined]);
  return first !== undefined;
}

for (const firmware of ['seabios', 'ovmf'] as const) {
  test(`F15 the floor under ${firmware}, below which only the kernel or the firmware speaks`, async (context) => {
    let [silent, heard] = [64, minimumMemory.ramMib as number];
    assert.ok(await isHeard(firmware, heard), 'the stated minimum itself');
    while (heard - silent > stepMib) {
      const middle = Math.round((silent + heard) / 2 / stepMib) * stepMib;
      if (await isHeard(firmware, middle)) heard = middle;
      else silent = middle;
    }
    context.diagnostic(`${firmware}: with ${heard} MiB it says what is missing, with ${silent} MiB it cannot`);
    assert.ok(heard < minimumMemory.ramMib - 64, 'it can say so in most machines that are too small');
  });
}
