import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources } from '../../resources.ts';
import { buildDebianImage } from '../debian-image.ts';
import { newIdentity } from '../guest-identity.ts';
import { InstallLab } from '../install-lab.ts';
import { existingDebian } from './existing-debian.ts';
import { assertDiskAtRest, installMachine } from './install-machine.ts';
import { StageClock } from './stage-clock.ts';

const gib = 1024 ** 3;

test('S3 UEFI, an existing Debian that runs the line of install.sh: online in discovery, installed anew by kexec with another image, the same machine', async (context) => {
  await using resources = new Resources();
  using clock = new StageClock(context, 'S3');
  const firmware = 'ovmf';
  const lab = await InstallLab.create(resources);
  await lab.push(await buildDebianImage('debian-13'), 'debian:13');
  const target = resources.sparseFile(6 * gib);
  await existingDebian(resources, lab, { source: await buildDebianImage('debian-12'), target });
  clock.end('server, registry, a Debian without durantic');
  const vm = await lab.startInstalled(newIdentity(), {
    firmware,
    disks: [{ file: target, serial: 'TARGET', bootIndex: 0 }],
  });
  const before = await vm.waitUntil(
    'the machine to be in discovery',
    async () => (await lab.server.machines()).find(({ is_online, hardware }) => is_online && hardware !== null),
    { timeoutMs: 300_000 },
  );
  clock.end('power-on to online in discovery');
  assert.deepEqual(
    [before.mode, before.provision_state, before.installed_provision_uuid],
    ['installed', 'Discovery mode', null],
  );
  assert.match(before.hardware?.kernel ?? '', /^6\.1\./);

  const at = { lab, vm, machineUuid: before.uuid, firmware, clock } as const;
  const installed = await installMachine(at, { image: 'debian:13', settings: { kexec_installer: true } });
  assert.match(installed.machine.hardware?.kernel ?? '', /^6\.12\./);
  assert.equal((await lab.server.machines()).length, 1, 'it is the machine that it was');
  assert.deepEqual(installed.machine.macs, before.macs);
  const history = JSON.stringify(await lab.history(at.machineUuid, installed.run.uuid));
  assert.match(history, /kexec/);
  await assertDiskAtRest(at, installed, target);
});
