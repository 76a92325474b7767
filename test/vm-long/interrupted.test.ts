import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { test } from 'node:test';
import { sleep } from '../../core/base/abort.ts';
import { runCommand } from '../../core/base/run-command.ts';
import type { Provision } from '../../protocol/api/provisions.ts';
import { noise, smallestSystem, writeBootImage } from '../builders/boot-image.ts';
import { makeSmallBootDisk } from '../builders/small-boot-disk.ts';
import { Resources } from '../resources.ts';
import { newIdentity } from '../vm/guest-identity.ts';
import { InstallLab } from '../vm/install-lab.ts';
import type { InstallerGuest, InstallerGuestOptions } from '../vm/installer-guest.ts';

const gib = 1024 ** 3;
const mib = 1024 ** 2;
const minuteMs = 60_000;
const rounds = 5;
/** What an installation takes here, from the command to its end; the last one that was not interrupted tells. */
let installMs = 25_000;
const seed = Number(process.env['DURANTIC_SEED'] ?? randomInt(1, 2 ** 31));

/** When the interruption of a round comes: within its part of the installation, by a number made of seed and round. */
function momentMs(round: number): number {
  const fraction = ((seed * (round + 1) * 2_654_435_761) % 2 ** 32) / 2 ** 32;
  return Math.round(((round + Math.abs(fraction)) / rounds) * installMs);
}

interface Scene {
  readonly lab: InstallLab;
  readonly target: string;
  readonly start: (overlay?: InstallerGuestOptions['overlay']) => Promise<InstallerGuest>;
}

async function makeScene(resources: Resources): Promise<Scene> {
  const lab = await InstallLab.create(resources);
  const disk = await makeSmallBootDisk(resources);
  const system = [...smallestSystem, { name: 'var/noise', data: noise(160 * mib) }];
  await lab.push((await writeBootImage(resources, { disk, system })).reference, 'small:1');
  const target = resources.sparseFile(2 * gib);
  const identity = newIdentity();
  const start = async (overlay?: InstallerGuestOptions['overlay']): Promise<InstallerGuest> =>
    await lab.startInstaller({
      ...{ medium: 'direct', firmware: 'seabios', identity },
      ...(overlay === undefined ? {} : { overlay }),
      disks: [{ file: target, serial: 'TARGET' }],
      extraArgs: ['-no-reboot'],
    });
  return { lab, target, start };
}

const order = { image: 'small:1', settings: { target_disk: 'serial:TARGET', inject_agent: false } };

/** Firmware finds the commit record or it finds nothing; with it, both tables are whole. */
async function stateOf(file: string): Promise<'complete' | 'not bootable'> {
  const sector = Buffer.alloc(512);
  const fd = openSync(file, 'r');
  readSync(fd, sector, 0, 512, 0);
  closeSync(fd);
  if (sector.every((byte) => byte === 0)) return 'not bootable';
  const { stdout } = await runCommand('sgdisk', ['-v', file], { okExitCodes: [0, 2] });
  assert.match(stdout, /No problems found/, 'a disk with a commit record is whole');
  return 'complete';
}

/** An installation that began then has ended now; it was none when it had ended before. */
function noteDuration(beganMs: number): void {
  const durationMs = Math.round(performance.now() - beganMs);
  if (durationMs > 5000) installMs = durationMs;
}

/** The run's end, as it comes; once more if it was not completed. */
async function untilInstalled(
  { lab, target }: Scene,
  guest: InstallerGuest,
  run: { readonly machineUuid: string; readonly provisionUuid: string },
): Promise<string> {
  const isOver = { what: 'over', is: ({ is_terminal }: Provision) => is_terminal, timeoutMs: 4 * minuteMs };
  const beganMs = performance.now();
  const first = await lab.waitForRun(guest.vm, run, isOver);
  if (first.status === 'completed') {
    noteDuration(beganMs);
    return 'completed';
  }
  assert.equal(await stateOf(target), 'not bootable', 'a run that failed leaves nothing to boot');
  const beganAgainMs = performance.now();
  const again = await lab.provision(run.machineUuid, { ...order });
  const second = await lab.waitForRun(guest.vm, { ...run, provisionUuid: again }, isOver);
  assert.equal(second.status, 'completed', `${second.error_code} ${second.error_message}`);
  noteDuration(beganAgainMs);
  return `${first.status} (${first.error_code}), then completed`;
}

for (let round = 0; round < rounds; round += 1) {
  const when = `in part ${round + 1} of ${rounds} of an installation (seed ${seed})`;

  test(`F61 the power is cut ${when}: complete or not bootable, and back as the same machine`, async (context) => {
    const atMs = momentMs(round);
    await using resources = new Resources();
    const scene = await makeScene(resources);
    const { lab, target } = scene;
    const guest = await scene.start();
    const { uuid: machineUuid } = await guest.waitForMachine(({ hardware }) => hardware !== null);
    const provisionUuid = await lab.provision(machineUuid, order);
    await sleep(atMs);
    const { current_step: step } = await lab.run(machineUuid, provisionUuid);
    if (!guest.vm.hasEnded) await guest.vm.quit();
    const disk = await stateOf(target);

    const back = await scene.start();
    const machine = await back.waitForMachine();
    const adopted = machine.uuid !== machineUuid;
    if (adopted) await lab.server.api('POST', `provisioning/machines/${machineUuid}/adopt`, { from: machine.uuid });
    const end = await untilInstalled(scene, back, { machineUuid, provisionUuid });
    assert.equal((await lab.server.machines()).length, 1);
    assert.equal(await stateOf(target), 'complete');
    context.diagnostic(
      `seed ${seed}: cut after ${atMs} of ${installMs} ms, in ${step}: ${disk}; ${adopted ? 'adopted' : 'the same machine by itself'}; ${end}`,
    );
  });

  test(`F61 the agent is killed ${when}: complete or not bootable, and the next run is whole`, async (context) => {
    const atMs = momentMs(round);
    await using resources = new Resources();
    const scene = await makeScene(resources);
    const { lab, target } = scene;
    const seconds = (atMs / 1000).toFixed(3);
    const hook = `
      until grep -q provision_started /run/durantic/installer.log 2>/dev/null; do sleep 0.1; done
      sleep ${seconds}
      kill -9 "$(cat /run/durantic/installer.pid)"
      prove killed '{}'`;
    const guest = await scene.start({ hook });
    const { uuid: machineUuid } = await guest.waitForMachine(({ hardware }) => hardware !== null);
    const provisionUuid = await lab.provision(machineUuid, order);
    await guest.waitForProof('killed', { timeoutMs: 2 * minuteMs });
    const { current_step: step } = await lab.run(machineUuid, provisionUuid);
    const disk = await stateOf(target);
    const end = await untilInstalled(scene, guest, { machineUuid, provisionUuid });
    assert.equal((await lab.server.machines()).length, 1);
    assert.equal(await stateOf(target), 'complete');
    context.diagnostic(`seed ${seed}: killed after ${atMs} of ${installMs} ms, in ${step}: ${disk}; ${end}`);
  });
}
