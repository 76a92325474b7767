import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Machine } from '../../../protocol/api/machines.ts';
import { Resources } from '../../resources.ts';
import { newIdentity } from '../guest-identity.ts';
import { InstallerGuest } from '../installer-guest.ts';
import type { Medium } from '../installer-media.ts';
import { type InstallerServer, startInstallerServer } from '../installer-server.ts';
import type { Firmware } from '../qemu-arguments.ts';

const gib = 1024 ** 3;
const shared = new Resources();
let server: InstallerServer;

before(async () => {
  server = await startInstallerServer(shared);
});
after(async () => await shared[Symbol.asyncDispose]());

/** The server's own record says which machine this is, how it was started, and which of its disks is the medium. */
function assertRecord(machine: Machine, guest: InstallerGuest, firmware: Firmware): void {
  const { identity } = guest;
  const { facts, hardware } = machine;
  assert.equal(facts?.system_uuid, identity.smbiosUuid);
  assert.equal(facts.system_serial, identity.serial);
  assert.equal(facts.board_serial, identity.boardSerial);
  assert.equal(facts.system_vendor, 'Durantic Test');
  assert.equal(facts.firmware, firmware === 'ovmf' ? 'uefi' : 'bios');
  assert.equal(facts.mode, 'installer');
  assert.deepEqual(
    facts.nics.map(({ mac }) => mac),
    identity.macs,
  );
  assert.deepEqual(machine.macs, identity.macs);
  assert.equal(hardware?.firmware.kind, facts.firmware);
  assert.match(hardware.kernel ?? '', /^6\.18\./);
  const target = hardware.disks.find(({ serial }) => serial === 'TARGET');
  assert.ok(target?.is_eligible, `a disk to install on: ${JSON.stringify(hardware.disks)}`);
  for (const disk of hardware.disks)
    assert.ok(disk === target || !disk.is_eligible, `${disk.path}: the medium is no target`);
}

const cases: readonly [Medium, Firmware, 'token' | 'approval'][] = [
  ['direct', 'ovmf', 'token'],
  ['iso', 'seabios', 'approval'],
  ['iso', 'ovmf', 'token'],
  ['ipxe-known', 'seabios', 'token'],
  ['ipxe', 'ovmf', 'token'],
];
for (const [medium, firmware, way] of cases) {
  test(`${medium} under ${firmware}, by ${way}: the server has this very machine`, async () => {
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
    assertRecord(machine, guest, firmware);
    assert.equal((await guest.machines()).length, 1);
  });
}

test('direct under seabios: a machine that loses its power three times in discovery is still one machine', async () => {
  const identity = newIdentity();
  const uuids = new Set<string>();
  for (const start of ['first', 'second', 'third', 'fourth']) {
    await using resources = new Resources();
    const guest = await InstallerGuest.start(resources, {
      ...{ server, identity, medium: 'direct', firmware: 'seabios' },
      disks: [{ file: resources.sparseFile(4 * gib), serial: 'TARGET' }],
    });
    const machine = await guest.waitForMachine(({ hardware }) => hardware !== null);
    console.log(`${start} start: on the server ${guest.vm.seconds.toFixed(1)} s after power-on`);
    assertRecord(machine, guest, 'seabios');
    uuids.add(machine.uuid);
    const all = await guest.machines();
    assert.deepEqual(
      all.map(({ uuid }) => uuid),
      [...uuids],
      `${start} start`,
    );
    assert.deepEqual(machine.possible_duplicates, []);
    await guest.vm.quit();
  }
});
