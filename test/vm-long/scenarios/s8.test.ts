import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from '../../../core/base/abort.ts';
import { stepIds } from '../../../protocol/provision-event.ts';
import { Resources } from '../../resources.ts';
import { buildDebianImage } from '../../vm/debian-image.ts';
import { InstallLab } from '../../vm/install-lab.ts';
import { lanHost } from '../../vm/installer-server.ts';
import { assertDiskAtRest, installMachine } from '../../vm/scenarios/install-machine.ts';
import { StageClock } from '../../vm/scenarios/stage-clock.ts';

const gib = 1024 ** 3;
const minuteMs = 60_000;

test('S8 F62 BIOS, a static address and no DHCP: the server is killed for a minute and the registry is cut three times during the installation, which is online with a complete history', async (context) => {
  await using resources = new Resources();
  using clock = new StageClock(context, 'S8');
  const firmware = 'seabios';
  const lab = await InstallLab.create(resources, { hasDhcp: false });
  const { server } = lab;
  await lab.push(await buildDebianImage(), 'debian:12');
  const target = resources.sparseFile(6 * gib);
  clock.end('server, registry');
  const router = `${lab.cable.subnet}.1`;
  const guest = await lab.startInstaller({
    ...{ medium: 'direct', firmware, memoryMib: 1024 },
    append: `ip=${lab.cable.subnet}.50::${router}:255.255.255.0::eth0:none nameserver=${router}`,
    disks: [{ file: target, serial: 'TARGET' }],
  });
  const { uuid: machineUuid } = await guest.waitForMachine(({ hardware }) => hardware !== null);
  clock.end('power-on to enrolled');
  const at = { lab, vm: guest.vm, machineUuid, firmware, clock } as const;

  let disturbedUntilMs = 0;
  const disturb = async (): Promise<void> => {
    await lab.waitForStep(guest.vm, machineUuid, ['bootloader_streaming', 'layer_extraction']);
    await server.process.kill();
    const killedAtMs = performance.now();
    for (let cut = 0; cut < 3; cut += 1) {
      lab.hideRegistry();
      await sleep(3000);
      await lab.showRegistry();
      await sleep(7000);
    }
    await sleep(killedAtMs + minuteMs - performance.now());
    await server.process.start();
    disturbedUntilMs = Date.now();
    clock.end('registry cut three times while the server was killed for a minute');
  };
  const installed = await installMachine(at, { image: 'debian:12', boot: 'kexec' }, disturb);
  const history = await lab.history(machineUuid, installed.run.uuid);
  assertComplete(history);
  const end = history.find(({ kind, event }) => kind === 'provision_event' && event['step'] === null);
  const endedAtMs = Date.parse(String(end?.event['time']));
  assert.ok(endedAtMs > disturbedUntilMs, 'the installation went on behind all of it');
  assert.equal(installed.machine.discovered_ip_addresses.includes(`${lab.cable.subnet}.50`), true, lanHost);
  await assertDiskAtRest(at, installed, target);
});

type History = Awaited<ReturnType<InstallLab['history']>>;

/** Every event of the installer's boot is there once, in its order, and the run has one result. */
function assertComplete(history: History): void {
  const byBoot = new Map<string, number[]>();
  for (const { boot_id: bootId, seq } of history.filter(({ kind }) => kind !== 'server')) {
    byBoot.set(bootId, [...(byBoot.get(bootId) ?? []), seq]);
  }
  for (const [bootId, seqs] of byBoot) {
    assert.deepEqual([...new Set(seqs)], seqs, `nothing twice in ${bootId}`);
    assert.deepEqual(
      [...seqs].sort((a, b) => a - b),
      seqs,
      `in order in ${bootId}`,
    );
  }
  assert.equal(history.filter(({ kind }) => kind === 'provision_result').length, 1);
  const events = history.filter(({ kind }) => kind === 'provision_event').map(({ event }) => event['step']);
  const steps = new Set(events.filter((step) => step !== null));
  assert.deepEqual([...steps], stepIds);
}
