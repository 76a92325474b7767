import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Resources } from '../../resources.ts';
import { buildDebianImage } from '../../vm/debian-image.ts';
import { newIdentity } from '../../vm/guest-identity.ts';
import { createNetworkBootLab } from '../../vm/network-boot-lab.ts';
import type { Vm } from '../../vm/qemu.ts';
import { assertDiskAtRest, installMachine } from '../../vm/scenarios/install-machine.ts';
import { StageClock } from '../../vm/scenarios/stage-clock.ts';

const gib = 1024 ** 3;

test('S2 S4 BIOS, iPXE with a token: one machine though its power was cut in discovery; installed by kexec; installed anew by an entry that GRUB boots once', async (context) => {
  await using resources = new Resources();
  using clock = new StageClock(context, 'S2');
  const firmware = 'seabios';
  const lab = await createNetworkBootLab(resources);
  const { server } = lab;
  await lab.push(await buildDebianImage('debian-12'), 'debian:12');
  await lab.push(await buildDebianImage('debian-13'), 'debian:13');
  const target = resources.sparseFile(6 * gib);
  const identity = newIdentity();
  const disks = [{ file: target, serial: 'TARGET', bootIndex: 1 }];
  clock.end('server, registry');

  const machine = { medium: 'network', token: null, firmware, identity, memoryMib: 1536, disks } as const;
  const first = await lab.startInstaller(machine);
  const { uuid: machineUuid } = await first.waitForMachine(({ hardware }) => hardware !== null);
  clock.end('power-on to enrolled');
  await first.vm.quit();
  const guest = await lab.startInstaller(machine);
  const again = await guest.waitForMachine(({ hardware }) => hardware !== null);
  assert.equal(again.uuid, machineUuid);
  assert.equal((await server.machines()).length, 1, 'still one machine');
  clock.end('power cut to enrolled again');

  const at = { lab, vm: guest.vm, machineUuid, firmware, clock } as const;
  const startsBefore = firmwareStarts(guest.vm);
  const installed = await installMachine(at, { image: 'debian:12', boot: 'kexec' });
  assert.equal(firmwareStarts(guest.vm), startsBefore, 'the firmware had no part in it');
  await assertDiskAtRest(at, installed, target);

  using second = new StageClock(context, 'S4');
  // From its own disk: the network would start the installer by itself.
  const vm = await lab.startInstalled(identity, {
    firmware,
    disks: [{ file: target, serial: 'TARGET', bootIndex: 0 }],
  });
  await lab.waitForMode(vm, 'installed');
  second.end('power-on to online');
  const there = { lab, vm, machineUuid, firmware, clock: second } as const;
  const anew = await installMachine(there, { image: 'debian:13', settings: { kexec_installer: false } });
  assert.equal((await server.machines()).length, 1);
  // Not the machine-id: systemd makes it from the SMBIOS UUID in a virtual machine.
  for (const id of ['uuid', 'partuuid'] as const) assert.notEqual(anew.facts.root[id], installed.facts.root[id]);
  for (const key of anew.facts.ssh_host_keys) assert.ok(!installed.facts.ssh_host_keys.includes(key), key);
  assert.match(anew.machine.hardware?.kernel ?? '', /^6\.12\./);
  assert.match(JSON.stringify(await lab.history(machineUuid, anew.run.uuid)), /GRUB/);
  await assertDiskAtRest(there, anew, target);
});

/** How often SeaBIOS has started: it says so on its debug port, where a kernel that kexec starts leaves no trace. */
function firmwareStarts(vm: Vm): number {
  return readFileSync(vm.files.firmwareLog, 'latin1').split('SeaBIOS (version').length - 1;
}
