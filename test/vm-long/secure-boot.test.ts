import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { minimumMemory } from '../../initramfs/minimum-memory.ts';
import { Resources } from '../resources.ts';
import { InstallerGuest, type InstallerGuestOptions } from '../vm/installer-guest.ts';
import { type InstallerServer, startInstallerServer } from '../vm/installer-server.ts';
import { signedInstaller } from '../vm/signed-installer.ts';

const gib = 1024 ** 3;
const shared = new Resources();
let signed: InstallerServer;

before(async () => {
  signed = await startInstallerServer(shared, { assetsDir: await signedInstaller(shared, { hasSignedKernel: true }) });
});
after(async () => await shared[Symbol.asyncDispose]());

const start = async (resources: Resources, options: Omit<InstallerGuestOptions, 'firmware'>): Promise<InstallerGuest> =>
  await InstallerGuest.start(resources, { firmware: 'ovmf-secure', ...options });

test('F55 the ISO that was built without --sign is refused by firmware with Secure Boot on', async () => {
  await using resources = new Resources();
  const server = await startInstallerServer(resources);
  const guest = await start(resources, { server, medium: 'iso' });
  await guest.vm.waitForNothingToBoot({ timeoutMs: 180_000 });
  assert.match(guest.vm.console, /BdsDxe: failed to load Boot\w+ "UEFI QEMU DVD-ROM.*Access Denied/);
  assert.deepEqual(await guest.machines(), []);
});

test('F55 a signed loader does not start a kernel that is not signed', async () => {
  await using resources = new Resources();
  const assetsDir = await signedInstaller(resources, { hasSignedKernel: false });
  const guest = await start(resources, { server: await startInstallerServer(resources, { assetsDir }), medium: 'iso' });
  // systemd-boot's own word, and what the firmware answered it.
  await guest.vm.waitForConsole(/Error loading .*vmlinuz.*Access denied/, { timeoutMs: 180_000 });
  assert.doesNotMatch(guest.vm.console, /durantic installer|Linux version/);
  assert.deepEqual(await guest.machines(), []);
});

for (const medium of ['iso', 'usb'] as const) {
  test(`F55 the signed ISO as ${medium} starts with Secure Boot on, and the machine enrols and says that it is on`, async () => {
    await using resources = new Resources();
    const disks = [{ file: resources.sparseFile(4 * gib), serial: 'TARGET' }];
    const guest = await start(resources, { server: signed, medium, disks, memoryMib: minimumMemory.ramMib });
    const { facts, hardware } = await guest.waitForMachine((machine) => machine.hardware !== null);
    console.log(`signed ${medium}: on the server ${guest.vm.seconds.toFixed(1)} s after power-on`);
    assert.equal(facts?.firmware, 'uefi');
    assert.equal(hardware?.firmware.secure_boot, true);
    const eligible = hardware.disks.filter((disk) => disk.is_eligible).map(({ serial }) => serial);
    assert.deepEqual(eligible, ['TARGET'], `F29: ${JSON.stringify(hardware.disks)}`);
  });
}

test('F55 the signed kernel itself is started by firmware with Secure Boot on, over TFTP', async () => {
  await using resources = new Resources();
  const guest = await start(resources, { server: signed, medium: 'tftp', token: null });
  await guest.vm.waitForConsole(/Address of the durantic server/, { timeoutMs: 180_000 });
  await guest.vm.type(`${signed.url()} ${signed.process.pin}\r`);
  await guest.approve();
  const { hardware } = await guest.waitForMachine((machine) => machine.hardware !== null);
  assert.equal(hardware?.firmware.secure_boot, true);
});

test('the signed ISO starts by BIOS too', async () => {
  await using resources = new Resources();
  const guest = await InstallerGuest.start(resources, { server: signed, medium: 'iso', firmware: 'seabios' });
  const { facts, hardware } = await guest.waitForMachine((machine) => machine.hardware !== null);
  console.log(`signed iso, seabios: on the server ${guest.vm.seconds.toFixed(1)} s after power-on`);
  assert.equal(facts?.firmware, 'bios');
  assert.equal(hardware?.firmware.secure_boot, null);
});
