import assert from 'node:assert/strict';
import { constants, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Resources } from '../../resources.ts';
import { buildDebianImage } from '../../vm/debian-image.ts';
import { newIdentity } from '../../vm/guest-identity.ts';
import { InstallLab } from '../../vm/install-lab.ts';
import { diskDifferences } from '../../vm/scenarios/disk-differences.ts';
import { assertDiskAtRest, assertOnline, installMachine } from '../../vm/scenarios/install-machine.ts';
import { StageClock } from '../../vm/scenarios/stage-clock.ts';

const gib = 1024 ** 3;

/** What a start of Debian changes by itself: logs, caches, leases, clocks, and what the agent keeps. */
const changedByBooting =
  /^\/(boot\/grub\/grubenv|etc\/(resolv\.conf|machine-id)|run|tmp|var\/(cache|lib\/(cloud|dbus|durantic|private|systemd|NetworkManager)|log|tmp|spool))(\/|$)/;

test('S5 UEFI: an installed machine is sent into the installer and back into its system, of which only what booting changes has changed', async (context) => {
  await using resources = new Resources();
  using clock = new StageClock(context, 'S5');
  const firmware = 'ovmf';
  const lab = await InstallLab.create(resources);
  await lab.push(await buildDebianImage(), 'debian:12');
  const target = resources.sparseFile(6 * gib);
  const identity = newIdentity();
  const medium = { medium: 'direct', firmware, identity, memoryMib: 1536 } as const;
  const guest = await lab.startInstaller({ ...medium, disks: [{ file: target, serial: 'TARGET' }] });
  const { uuid: machineUuid } = await guest.waitForMachine(({ hardware }) => hardware !== null);
  clock.end('power-on to enrolled');
  const at = { lab, vm: guest.vm, machineUuid, firmware, clock } as const;
  const installed = await installMachine(at, {
    image: 'debian:12',
    boot: 'kexec',
    settings: { kexec_installer: true },
  });
  await assertDiskAtRest(at, installed, target);
  const before = join(resources.tempDir(), 'before');
  await copyFile(target, before, constants.COPYFILE_FICLONE);

  const disks = [{ file: target, serial: 'TARGET', bootIndex: 0 }];
  const vm = await lab.startInstalled(identity, { firmware, disks });
  await lab.waitForMode(vm, 'installed');
  clock.end('power-on to online');
  const enter = await lab.command(machineUuid, 'EnterInstaller');
  const inInstaller = await lab.waitForMode(vm, 'installer');
  assert.equal(inInstaller.uuid, machineUuid);
  assert.equal((await lab.commandOf(machineUuid, enter)).status, 'done');
  clock.end('into the installer');
  const leave = await lab.command(machineUuid, 'BootInstalledSystem');
  await lab.waitForMode(vm, 'installed');
  assert.equal((await lab.commandOf(machineUuid, leave)).status, 'done');
  clock.end('back into the installed system');
  await assertOnline(at, installed.run.uuid);
  assert.equal((await lab.server.machines()).length, 1);
  await assertDiskAtRest({ ...at, vm }, installed, target);

  const differences = await diskDifferences(resources, before, target);
  console.log(`changed: ${differences.join(' ')}`);
  assert.deepEqual(
    differences.filter((path) => !changedByBooting.test(path)),
    [],
  );
});
