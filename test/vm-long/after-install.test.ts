import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources } from '../resources.ts';
import { buildDebianImage } from '../vm/debian-image.ts';
import { newIdentity } from '../vm/guest-identity.ts';
import { InstallLab, type InstallOrder } from '../vm/install-lab.ts';
import { installedFactsSchema, proofUserData } from '../vm/installed-guest.ts';
import type { InstallerGuest } from '../vm/installer-guest.ts';
import type { Vm } from '../vm/qemu.ts';
import type { VmDisk } from '../vm/vm-disk.ts';

const gib = 1024 ** 3;
const minuteMs = 60_000;

interface Scene {
  readonly lab: InstallLab;
  readonly guest: InstallerGuest;
  readonly machineUuid: string;
  readonly target: VmDisk & { readonly file: string };
}

async function inInstaller(resources: Resources): Promise<Scene> {
  const lab = await InstallLab.create(resources);
  await lab.push(await buildDebianImage(), 'debian:12');
  const target = { file: resources.sparseFile(6 * gib), serial: 'TARGET' };
  const guest = await lab.startInstaller({
    ...{ medium: 'direct', firmware: 'seabios', identity: newIdentity(), memoryMib: 1024 },
    disks: [target],
  });
  const { uuid: machineUuid } = await guest.waitForMachine(({ hardware }) => hardware !== null);
  return { lab, guest, machineUuid, target };
}

/** Gives the order and waits until the machine has told that it leaves for the installed system. */
async function untilBooting({ lab, guest, machineUuid }: Scene, order: Omit<InstallOrder, 'image'>): Promise<string> {
  const userData = proofUserData({ waitsForAgent: false, powersOff: false });
  const provisionUuid = await lab.provision(machineUuid, { image: 'debian:12', userData, ...order });
  await lab.waitForRun(
    guest.vm,
    { machineUuid, provisionUuid },
    { what: 'booting', is: ({ booting_at }) => booting_at !== null, timeoutMs: 10 * minuteMs },
  );
  return provisionUuid;
}

/** The disk started by itself is the installed system, which comes online as that run. */
async function assertBoots({ lab, guest, machineUuid, target }: Scene, provisionUuid: string): Promise<Vm> {
  const disks = [{ ...target, bootIndex: 0 }];
  const vm = await lab.startInstalled(guest.identity, { firmware: 'seabios', disks });
  const { facts } = await vm.waitForProof('installed', { timeoutMs: 6 * minuteMs, bootsFromDisk: true });
  const { cloud_init, failed_units } = installedFactsSchema.parse(facts);
  assert.deepEqual([cloud_init.errors, failed_units], [[], []]);
  const machine = await lab.waitForMode(vm, 'installed');
  assert.deepEqual([machine.uuid, machine.installed_provision_uuid], [machineUuid, provisionUuid]);
  return vm;
}

test('F41 the power is cut the moment that the server is told of the end: the installed system boots', async () => {
  await using resources = new Resources();
  const scene = await inInstaller(resources);
  const provisionUuid = await untilBooting(scene, {});
  await scene.guest.vm.quit();
  await assertBoots(scene, provisionUuid);
  const run = await scene.lab.run(scene.machineUuid, provisionUuid);
  assert.ok(['completed', 'in_progress'].includes(run.status), run.status);
});

test('F54 a machine that hangs after kexec: the run ends as timeout and says so, and a restart repairs it', async () => {
  await using resources = new Resources();
  const scene = await inInstaller(resources);
  const { lab, guest, machineUuid } = scene;
  const provisionUuid = await untilBooting(scene, { boot: 'kexec', settings: { boot_timeout_seconds: 60 } });
  await guest.vm.waitUntil(
    'the installer to be gone',
    async () => (await lab.server.machines()).every(({ is_online, mode }) => !(is_online && mode === 'installer')),
    { timeoutMs: 2 * minuteMs },
  );
  // What a device does that did not survive kexec: nothing goes on any more.
  await guest.vm.execute('stop');
  const run = await lab.waitForRun(
    guest.vm,
    { machineUuid, provisionUuid },
    { what: 'timeout', is: ({ status }) => status === 'timeout', timeoutMs: 3 * minuteMs },
  );
  assert.match(
    run.error_message ?? '',
    /the installed system has not connected 1 minute after the machine left for it/,
  );
  console.log(run.error_message);
  await guest.vm.quit();
  await assertBoots(scene, provisionUuid);
});
