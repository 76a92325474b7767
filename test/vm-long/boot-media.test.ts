import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Resources } from '../resources.ts';
import { InstallerGuest } from '../vm/installer-guest.ts';
import type { Medium } from '../vm/installer-media.ts';
import { type InstallerServer, startInstallerServer } from '../vm/installer-server.ts';
import type { Firmware } from '../vm/qemu-arguments.ts';

const shared = new Resources();
let server: InstallerServer;

before(async () => {
  server = await startInstallerServer(shared);
});
after(async () => await shared[Symbol.asyncDispose]());

// The others are in test/vm/installer/boot-matrix.test.ts.
const cases: readonly [Medium, Firmware, 'token' | 'approval'][] = [
  ['direct', 'seabios', 'approval'],
  ['iso', 'seabios', 'token'],
  ['iso', 'ovmf', 'approval'],
  ['usb', 'seabios', 'token'],
  ['usb', 'ovmf', 'token'],
  ['iso-disk', 'seabios', 'token'],
  ['iso-disk', 'ovmf', 'token'],
  ['ipxe', 'seabios', 'token'],
  ['ipxe-known', 'ovmf', 'token'],
];
for (const [medium, firmware, way] of cases) {
  test(`${medium} under ${firmware}, by ${way}: the server has this very machine, and the medium is no target`, async () => {
    await using resources = new Resources();
    const guest = await InstallerGuest.start(resources, {
      ...{ server, medium, firmware },
      ...(way === 'approval' || medium === 'ipxe-known' ? { token: null } : {}),
    });
    if (way === 'approval') await guest.approve();
    const { hardware, facts } = await guest.waitForMachine((machine) => machine.hardware !== null);
    console.log(`${medium}, ${firmware}: on the server ${guest.vm.seconds.toFixed(1)} s after power-on`);
    assert.equal(facts?.firmware, firmware === 'ovmf' ? 'uefi' : 'bios');
    assert.ok(
      hardware?.disks.every((disk) => !disk.is_eligible),
      `F29: ${JSON.stringify(hardware?.disks)}`,
    );
    const sticks = hardware?.disks.filter(({ serial }) => serial === 'MEDIUM').length ?? 0;
    assert.equal(sticks, medium === 'usb' || medium === 'iso-disk' ? 1 : 0, 'a medium that is a disk is listed');
  });
}

test('tftp under ovmf: a kernel without any parameter asks at its console who it belongs to, then for approval', async () => {
  await using resources = new Resources();
  const guest = await InstallerGuest.start(resources, { server, medium: 'tftp', firmware: 'ovmf', token: null });
  await guest.vm.waitForConsole(/Address of the durantic server/, { timeoutMs: 120_000 });
  await guest.vm.type(`${server.url()} ${server.process.pin}\r`);
  await guest.approve();
  const { facts } = await guest.waitForMachine();
  assert.equal(facts?.firmware, 'uefi');
});
