import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { Resources } from '../../resources.ts';
import { binary, buildDebianImage } from '../../vm/debian-image.ts';
import { installedFactsSchema, proofUserData } from '../../vm/installed-guest.ts';
import { startVm } from '../../vm/qemu.ts';
import type { Firmware } from '../../vm/qemu-arguments.ts';
import { cloneImage } from '../../vm/scenarios/cloned-disk.ts';
import { StageClock } from '../../vm/scenarios/stage-clock.ts';

const gib = 1024 ** 3;
const minuteMs = 60_000;
const starts = 5;

for (const firmware of ['ovmf', 'seabios'] as const) {
  test(`S6 F43 ${firmware}: beside a disk with the very image, its UUIDs and labels, the machine mounts its own root at each of ${starts} starts`, async (context) => {
    await using resources = new Resources();
    using clock = new StageClock(context, `S6 ${firmware}`);
    const source = await buildDebianImage();
    const clone = await cloneImage(resources, source.replace(/^oci:/, ''), 4 * gib);
    const target = resources.sparseFile(6 * gib);
    const userData = join(resources.tempDir(), 'user-data');
    writeFileSync(userData, proofUserData({ waitsForAgent: false, atEachStart: true }));
    const what = ['--image', source, '--disk', target, '--user-data', userData];
    await runCommand(binary, ['provision', ...what, '--boot', 'none', '--yes']);
    clock.end('both disks');
    const roots: string[] = [];
    for (let start = 1; start <= starts; start += 1) {
      // Which of them is vda changes from start to start.
      roots.push(await rootOf({ firmware, target, clone, isFirst: start % 2 === 1 }));
      clock.end(`start ${start}`);
    }
    assert.equal(new Set(roots).size, 1, `one root at each start: ${roots}`);
    const { stdout } = await runCommand('sfdisk', ['--json', target]);
    assert.ok(stdout.toLowerCase().includes(roots[0] ?? 'none'), `${roots[0]} is a partition of the installed disk`);
  });
}

interface Machine {
  readonly firmware: Firmware;
  readonly target: string;
  readonly clone: string;
  readonly isFirst: boolean;
}

/** PARTUUID of the root that a start mounts. */
async function rootOf({ firmware, target, clone, isFirst }: Machine): Promise<string> {
  await using resources = new Resources();
  const own = { file: target, serial: 'OWN', bootIndex: 0 };
  const other = { file: clone, serial: 'CLONE' };
  const vm = await startVm(resources, {
    ...{ name: `two-disks-${firmware}`, firmware, memoryMib: 1024, network: { restrict: true } },
    disks: isFirst ? [own, other] : [other, own],
  });
  const { facts } = await vm.waitForProof('installed', { timeoutMs: 6 * minuteMs, bootsFromDisk: true });
  await vm.waitForPoweroff({ timeoutMs: 2 * minuteMs });
  const { root, mounts, failed_units } = installedFactsSchema.parse(facts);
  assert.ok(mounts.includes('/boot/efi'));
  assert.deepEqual(failed_units, []);
  return root.partuuid.toLowerCase();
}
