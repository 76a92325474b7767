import assert from 'node:assert/strict';
import { Resources } from '../resources.ts';
import { assertRecord } from './assert-record.ts';
import { newIdentity } from './guest-identity.ts';
import { InstallerGuest } from './installer-guest.ts';
import type { Medium } from './installer-media.ts';
import type { InstallerServer } from './installer-server.ts';
import type { Firmware } from './qemu-arguments.ts';

const gib = 1024 ** 3;

export interface MediumCase {
  readonly medium: Medium;
  readonly firmware: Firmware;
  /** How the machine is let in. */
  readonly way: 'token' | 'approval';
}

/** Boots the installer from a medium, beside a disk to install on, and looks at what the server has of the machine. */
export async function bootMedium(server: InstallerServer, { medium, firmware, way }: MediumCase): Promise<void> {
  await using resources = new Resources();
  const guest = await InstallerGuest.start(resources, {
    ...{ server, medium, firmware },
    disks: [{ file: resources.sparseFile(4 * gib), serial: 'TARGET' }],
    // A machine that is known by its MAC address gets its token from the server.
    ...(way === 'approval' || medium === 'ipxe-known' ? { token: null } : {}),
  });
  if (way === 'approval') await guest.approve();
  const machine = await guest.waitForMachine(({ hardware }) => hardware !== null);
  console.log(`${medium}, ${firmware}: on the server ${guest.vm.seconds.toFixed(1)} s after power-on`);
  assertRecord(machine, guest, { firmware, targets: ['TARGET'] });
  assert.equal((await guest.machines()).length, 1);
  const sticks = machine.hardware?.disks.filter(({ serial }) => serial === 'MEDIUM').length;
  assert.equal(sticks, medium === 'usb' || medium === 'iso-disk' ? 1 : 0, 'a medium that is a disk is listed');
}

/** Starts one machine `starts` times, with its power lost in between: each time the server has it as the same one. */
export async function staysOneMachine(server: InstallerServer, starts: number): Promise<void> {
  const identity = newIdentity();
  const uuids = new Set<string>();
  for (let start = 1; start <= starts; start++) {
    await using resources = new Resources();
    const guest = await InstallerGuest.start(resources, {
      ...{ server, identity, medium: 'direct', firmware: 'seabios' },
      disks: [{ file: resources.sparseFile(4 * gib), serial: 'TARGET' }],
    });
    const machine = await guest.waitForMachine(({ hardware }) => hardware !== null);
    console.log(`start ${start}: on the server ${guest.vm.seconds.toFixed(1)} s after power-on`);
    assertRecord(machine, guest, { firmware: 'seabios', targets: ['TARGET'] });
    uuids.add(machine.uuid);
    const all = await guest.machines();
    assert.deepEqual(
      all.map(({ uuid }) => uuid),
      [...uuids],
      `start ${start}`,
    );
    assert.deepEqual(machine.possible_duplicates, []);
    await guest.vm.quit();
  }
}
