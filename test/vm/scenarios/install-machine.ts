import assert from 'node:assert/strict';
import { runCommand } from '../../../core/base/run-command.ts';
import type { Machine } from '../../../protocol/api/machines.ts';
import type { Provision } from '../../../protocol/api/provisions.ts';
import { readOnDisk } from '../find-on-disk.ts';
import type { InstallLab, InstallOrder } from '../install-lab.ts';
import {
  checkTables,
  type InstalledFacts,
  installedFactsSchema,
  proofUserData,
  rootOffsetBytes,
} from '../installed-guest.ts';
import type { Vm } from '../qemu.ts';
import type { Firmware } from '../qemu-arguments.ts';
import type { StageClock } from './stage-clock.ts';

/** A machine of a scenario, in whatever system it is. */
export interface ScenarioMachine {
  readonly lab: InstallLab;
  readonly vm: Vm;
  readonly machineUuid: string;
  readonly firmware: Firmware;
  readonly clock: StageClock;
}

export interface Installed {
  readonly run: Provision;
  /** What the installed system says of itself. */
  readonly facts: InstalledFacts;
  readonly machine: Machine;
}

const minuteMs = 60_000;

/**
 * Installs a machine and takes both words for it: the server's, which has it from the agent of the new system, and that
 * system's own on the proof port. The order's user data gets the unit that says it.
 * @param disturb What happens to the installation; the server is not asked for its state meanwhile.
 */
export async function installMachine(
  at: ScenarioMachine,
  order: InstallOrder,
  disturb: () => Promise<void> = async () => undefined,
): Promise<Installed> {
  const { lab, vm, machineUuid } = at;
  const provisionUuid = await lab.provision(machineUuid, {
    userData: proofUserData({ waitsForAgent: false, powersOff: false }),
    ...order,
  });
  await disturb();
  const run = await followRun(at, provisionUuid);
  const { facts } = await vm.waitForProof('installed', { timeoutMs: 2 * minuteMs });
  const parsed = installedFactsSchema.parse(facts);
  const machine = await assertOnline(at, provisionUuid);
  assertInstalled(parsed, at.firmware);
  assert.equal(parsed.hostname, machine.hostname);
  at.clock.end('proofs of server and guest');
  return { run, facts: parsed, machine };
}

/** Waits for the run to be completed; each step of it is a stage. */
export async function followRun(
  { lab, vm, machineUuid, clock }: ScenarioMachine,
  provisionUuid: string,
  timeoutMs = 15 * minuteMs,
): Promise<Provision> {
  let step = 'queued';
  return await lab.waitForRun(
    vm,
    { machineUuid, provisionUuid },
    {
      what: 'completed',
      is: ({ current_step: now, status }) => {
        if (now !== step || status === 'completed') clock.end(step);
        step = now;
        return status === 'completed';
      },
      timeoutMs,
    },
  );
}

/** What the server has of the installed system: its agent has said which run it is of. */
export async function assertOnline(
  { lab, machineUuid }: Pick<ScenarioMachine, 'lab' | 'machineUuid'>,
  provisionUuid: string,
): Promise<Machine> {
  const machine = (await lab.server.machines()).find(({ uuid }) => uuid === machineUuid);
  assert.ok(machine !== undefined, 'the server has the machine');
  const { is_online, mode, installed_provision_uuid, provision_state } = machine;
  assert.deepEqual(
    { is_online, mode, installed_provision_uuid, provision_state },
    {
      ...{ is_online: true, mode: 'installed' },
      ...{ installed_provision_uuid: provisionUuid, provision_state: 'Installed' },
    },
  );
  return machine;
}

function assertInstalled(facts: InstalledFacts, firmware: Firmware): void {
  assert.equal(facts.efi, firmware === 'ovmf');
  assert.deepEqual(facts.cloud_init.errors, []);
  assert.match(facts.cloud_init.datasource, /NoCloud/);
  assert.match(facts.machine_id, /^[0-9a-f]{32}$/);
  const partitions = facts.blocks.flatMap(({ children }) => children);
  const root = partitions.find(({ name }) => facts.root.source === `/dev/${name}`);
  assert.ok(root !== undefined, `the root ${facts.root.source} is on its disk`);
  assert.ok(facts.root.size > root.size * 0.94, `the filesystem has ${facts.root.size} of ${root.size} bytes`);
  assert.match(facts.root.options, /^rw\b/);
  assert.deepEqual([facts.agent['ActiveState'], facts.agent['NRestarts']], ['active', '0']);
  assert.deepEqual(facts.failed_units, []);
}

/** Switches the machine off by command, and reads its disk: whole, and that very system's. */
export async function assertDiskAtRest(
  { lab, vm, machineUuid, clock }: ScenarioMachine,
  { facts, run }: Installed,
  target: string,
): Promise<void> {
  await lab.server.api('POST', `provisioning/machines/${machineUuid}/commands/`, { kind: 'PowerOff' });
  await vm.waitForPoweroff({ timeoutMs: 2 * minuteMs });
  clock.end('power-off');
  await checkTables(target);
  await runCommand('e2fsck', ['-f', '-n', `${target}?offset=${await rootOffsetBytes(target)}`]);
  assert.equal((await readOnDisk(target, '/etc/machine-id')).trim(), facts.machine_id);
  const record = JSON.parse(await readOnDisk(target, '/var/lib/durantic/provision.json')) as Record<string, unknown>;
  assert.equal(record['provision_uuid'], run.uuid);
  const identity = JSON.parse(await readOnDisk(target, '/var/lib/durantic/identity.json')) as Record<string, unknown>;
  assert.equal(identity['machine_uuid'], machineUuid);
  clock.end('disk read by the host');
}
