import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { hashFile } from '../../scripts/build/hash-file.ts';
import { writeBootImage } from '../builders/boot-image.ts';
import { makeSmallBootDisk } from '../builders/small-boot-disk.ts';
import { Resources } from '../resources.ts';
import { InstallLab } from '../vm/install-lab.ts';
import { checkTables } from '../vm/installed-guest.ts';
import type { Medium } from '../vm/installer-media.ts';
import { waitForScreen } from '../vm/wait-for-screen.ts';

const gib = 1024 ** 3;
const isError = { what: 'error', is: ({ status }: { status: string }) => status === 'error', timeoutMs: 300_000 };
const isCompleted = {
  what: 'completed',
  is: ({ status }: { status: string }) => status === 'completed',
  timeoutMs: 400_000,
};

/** A stick is refused for what it is already; a disk like any other is known by what it holds. */
const media: readonly [Medium, string][] = [
  ['usb', 'a removable medium'],
  ['iso-disk', 'installation media'],
];
for (const [medium, reason] of media) {
  test(`F20 F29 started from ${medium} the machine never takes its medium: it waits, says why, and installs on the disk that comes late`, async () => {
    await using resources = new Resources();
    const lab = await InstallLab.create(resources);
    const disk = await makeSmallBootDisk(resources);
    await lab.push((await writeBootImage(resources, { disk })).reference, 'small:1');
    const guest = await lab.startInstaller({
      ...{ medium, firmware: 'seabios', isMediumWritable: true, hotplugPorts: 1 },
    });
    const { vm } = guest;
    const mediumFile = guest.mediumFile ?? '';
    const before = { sha256: hashFile(mediumFile), mtimeMs: statSync(mediumFile).mtimeMs };
    const { uuid: machineUuid, hardware } = await guest.waitForMachine((machine) => machine.hardware !== null, {
      timeoutMs: 240_000,
    });
    const [only, ...others] = hardware?.disks ?? [];
    assert.ok(only !== undefined && !only.is_eligible && others.length === 0, JSON.stringify(hardware?.disks));
    assert.equal(only.reason, `${only.path} is ${reason}`);

    const order = { image: 'small:1', settings: { target_disk: null, inject_agent: false } };
    const inVain = await lab.provision(machineUuid, order);
    await waitForScreen(vm, /waiting up to 120 s for the disk to appear/);
    console.log(await waitForScreen(vm, /target_not_found/, { timeoutMs: 240_000 }));
    const failed = await lab.waitForRun(vm, { machineUuid, provisionUuid: inVain }, isError);
    console.log(failed.error_message);
    assert.deepEqual([failed.error_code, failed.disk_state], ['target_not_found', 'untouched']);
    assert.ok(failed.error_message.includes(`${only.path} is ${reason}`), failed.error_message);

    const target = resources.sparseFile(2 * gib);
    const provisionUuid = await lab.provision(machineUuid, order);
    await waitForScreen(vm, /waiting up to 120 s for the disk to appear/);
    const since = Date.now();
    await vm.waitUntil('40 s to pass', () => Date.now() - since > 40_000, { timeoutMs: 60_000 });
    assert.equal((await lab.run(machineUuid, provisionUuid)).status, 'in_progress', 'it still waits');
    await vm.addDisk({ file: target, serial: 'LATE', id: 'late' });
    await lab.waitForRun(vm, { machineUuid, provisionUuid }, isCompleted);
    console.log(`installed ${((Date.now() - since) / 1000).toFixed(1)} s after the wait began`);
    await vm.quit();
    await checkTables(target);
    assert.deepEqual({ sha256: hashFile(mediumFile), mtimeMs: statSync(mediumFile).mtimeMs }, before);
  });
}
