import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources } from '../../resources.ts';
import { buildDebianImage } from '../../vm/debian-image.ts';
import { InstallLab } from '../../vm/install-lab.ts';
import { assertDiskAtRest, installMachine } from '../../vm/scenarios/install-machine.ts';
import { StageClock } from '../../vm/scenarios/stage-clock.ts';

const gib = 1024 ** 3;
const minuteMs = 60_000;

test('S10 three machines at once with one token: all three are online, each with an identity of its own', async (context) => {
  await using resources = new Resources();
  using all = new StageClock(context, 'S10');
  const lab = await InstallLab.create(resources);
  await lab.push(await buildDebianImage(), 'debian:12');
  const token = await lab.server.token();
  const firmware = 'seabios';
  all.end('server, registry');
  const installed = await Promise.all(
    ['one', 'two', 'three'].map(async (name, index) => {
      using clock = new StageClock(context, `S10 ${name}`);
      const target = resources.sparseFile(6 * gib);
      const cable = index === 0 ? lab.cable : await lab.addMachineCable();
      const guest = await lab.startInstaller({
        ...{ medium: 'direct', firmware, token, memoryMib: 1024 },
        cable,
        disks: [{ file: target, serial: `DISK-${name}` }],
      });
      const { uuid: machineUuid } = await guest.waitForMachine(({ hardware }) => hardware !== null, {
        timeoutMs: 6 * minuteMs,
      });
      clock.end('power-on to enrolled');
      const at = { lab, vm: guest.vm, machineUuid, firmware, clock } as const;
      // By kexec: what QEMU starts is the installer's kernel again.
      const result = await installMachine(at, { image: 'debian:12', boot: 'kexec', settings: { hostname: name } });
      await assertDiskAtRest(at, result, target);
      return { ...result, macs: guest.identity.macs };
    }),
  );
  all.end('three machines installed');
  const machines = await lab.server.machines();
  assert.equal(machines.length, 3);
  assert.deepEqual(
    installed.map(({ facts }) => facts.hostname),
    ['one', 'two', 'three'],
  );
  for (const { machine, macs } of installed) assert.deepEqual(machine.macs, macs);
  const identifiers = installed.flatMap(({ facts, machine }) => [
    machine.uuid,
    facts.machine_id,
    facts.instance_id,
    facts.root.uuid,
    facts.root.partuuid,
    ...facts.ssh_host_keys,
  ]);
  assert.equal(new Set(identifiers).size, identifiers.length, `shared identifiers: ${identifiers}`);
});
