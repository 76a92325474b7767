import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources } from '../../resources.ts';
import { assertRecord } from '../assert-record.ts';
import { buildDebianImage } from '../debian-image.ts';
import { readOnDisk } from '../find-on-disk.ts';
import { InstallLab } from '../install-lab.ts';
import { assertDiskAtRest, installMachine } from './install-machine.ts';
import { StageClock } from './stage-clock.ts';

const gib = 1024 ** 3;

test('S1 F51 UEFI, from the ISO, admitted by the code on its screen: installed by a restart, online with its hostname and roles, without a search for other data sources', async (context) => {
  await using resources = new Resources();
  using clock = new StageClock(context, 'S1');
  const lab = await InstallLab.create(resources);
  await lab.push(await buildDebianImage(), 'debian:12');
  const target = resources.sparseFile(6 * gib);
  const firmware = 'ovmf';
  clock.end('server, registry, ISO');
  const guest = await lab.startInstaller({
    ...{ medium: 'iso', firmware, token: null, memoryMib: 1024 },
    // Without a place in the order that QEMU gives it, OVMF drops the entry that the installer makes (QemuBootOrderLib).
    disks: [{ file: target, serial: 'TARGET', bootIndex: 1 }],
  });
  await guest.approve();
  const enrolled = await guest.waitForMachine(({ hardware }) => hardware !== null);
  assertRecord(enrolled, guest, { firmware, targets: ['TARGET'] });
  const machineUuid = enrolled.uuid;
  clock.end('power-on to enrolled');
  const at = { lab, vm: guest.vm, machineUuid, firmware, clock } as const;
  const motd = "#cloud-config\nwrite_files:\n- {path: /etc/motd, content: 'this is {{ machine.hostname }}'}\n";
  const installed = await installMachine(at, {
    image: 'debian:12',
    settings: { hostname: 's1-machine' },
    furtherRoles: { base: motd },
  });
  assert.equal(installed.facts.hostname, 's1-machine');
  assert.deepEqual(installed.machine.role_names.includes('base'), true);
  assert.equal((await lab.server.machines()).length, 1);
  await assertDiskAtRest(at, installed, target);
  assert.equal(await readOnDisk(target, '/etc/motd'), 'this is s1-machine');
  const log = await readOnDisk(target, '/var/log/cloud-init.log');
  assert.match(log, /DataSourceNoCloud/);
  assert.doesNotMatch(log, /169\.254\.169\.254|DataSourceEc2/);
});
