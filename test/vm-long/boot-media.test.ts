import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Resources } from '../resources.ts';
import { bootMedium, type MediumCase, staysOneMachine } from '../vm/boot-media.ts';
import { InstallerGuest } from '../vm/installer-guest.ts';
import { type InstallerServer, startInstallerServer } from '../vm/installer-server.ts';

const shared = new Resources();
let server: InstallerServer;

before(async () => {
  server = await startInstallerServer(shared);
});
after(async () => await shared[Symbol.asyncDispose]());

// The others are in test/vm/installer/boot-matrix.test.ts and, under UEFI, in S1 and S9.
const cases: readonly MediumCase[] = [
  { medium: 'direct', firmware: 'seabios', way: 'approval' },
  { medium: 'direct', firmware: 'ovmf', way: 'token' },
  { medium: 'iso', firmware: 'seabios', way: 'token' },
  { medium: 'iso', firmware: 'ovmf', way: 'token' },
  { medium: 'usb', firmware: 'seabios', way: 'token' },
  { medium: 'usb', firmware: 'ovmf', way: 'token' },
  { medium: 'iso-disk', firmware: 'seabios', way: 'token' },
  { medium: 'iso-disk', firmware: 'ovmf', way: 'token' },
  { medium: 'ipxe', firmware: 'ovmf', way: 'token' },
  { medium: 'ipxe-known', firmware: 'seabios', way: 'token' },
];
for (const { medium, firmware, way } of cases) {
  test(`F29 ${medium} under ${firmware}, by ${way}: the server has this very machine, and the medium is no target`, async () => {
    await bootMedium(server, { medium, firmware, way });
  });
}

test('direct under seabios: a machine that loses its power three times in discovery is still one machine', async () => {
  await staysOneMachine(server, 4);
});

test('tftp under ovmf: a kernel without any parameter asks at its console who it belongs to, then for approval', async () => {
  await using resources = new Resources();
  const guest = await InstallerGuest.start(resources, { server, medium: 'tftp', firmware: 'ovmf', token: null });
  await guest.vm.waitForConsole(/Address of the durantic server/, { timeoutMs: 120_000 });
  await guest.vm.type(`${server.url()} ${server.process.pin}\r`);
  await guest.approve();
  const { facts } = await guest.waitForMachine();
  assert.equal(facts?.firmware, 'uefi');
});
