import { z } from 'zod';
import { machineEventSchema, machineSchema } from '../../protocol/api/machines.ts';
import { meshNetworkSchema } from '../../protocol/api/mesh-networks.ts';
import { ProvisionError } from '../base/errors.ts';
import { describeMachine } from './describe-machine.ts';
import { findObject } from './find-object.ts';
import { machineLines } from './machine-lines.ts';
import { machineNamed, machineOf, machinesOf, machinesPath } from './machine-paths.ts';
import { meshNetworksPath } from './mesh-networks.ts';
import type { Operator } from './operator.ts';
import { printJson, printLines, tableColumns } from './output.ts';

export async function listMachines({ api, output, now }: Operator): Promise<void> {
  const machines = await machinesOf(api);
  if (output.json) return printJson(output, machines);
  if (machines.length === 0) {
    output.stderr.write('There is no machine; "durantic server token create" prints how one enrols.\n');
    return;
  }
  const maxColumns = tableColumns(output.stdout);
  printLines(output, machineLines(machines, { nowMs: now(), colour: output.colour, maxColumns }));
}

export async function showMachine({ api, output, now }: Operator, name: string): Promise<void> {
  const { uuid } = await machineNamed(api, name);
  const machine = await machineOf(api, uuid);
  if (output.json) return printJson(output, machine);
  const events = await api.get(`${machinesPath}${uuid}/events/`, z.array(machineEventSchema));
  printLines(output, describeMachine(machine, events, now()));
}

/** Undefined leaves a thing as it is. */
export interface MachineChanges {
  readonly hostname: string | undefined;
  /** The whole list; empty for none. */
  readonly roles: readonly string[] | undefined;
  /** Name or UUID of a mesh network, `none` for no membership. */
  readonly mesh: string | undefined;
  /** `auto`: the only eligible disk. */
  readonly targetDisk: string | undefined;
  readonly injectAgent: boolean | undefined;
  readonly kexecInstaller: boolean | undefined;
  readonly autoUpdate: boolean | undefined;
  readonly bootTimeoutSeconds: number | undefined;
}

/** @throws ProvisionError `usage` when nothing is to be changed. */
export async function setMachine(operator: Operator, name: string, changes: MachineChanges): Promise<void> {
  const { api, output, now } = operator;
  if (Object.values(changes).every((value) => value === undefined)) {
    throw new ProvisionError('usage', 'nothing is to be changed; "--help" lists what can be');
  }
  const { uuid } = await machineNamed(api, name);
  // JSON leaves out what is undefined, and what is absent stays as it is.
  const body = {
    hostname: changes.hostname,
    role_names: changes.roles,
    mesh_network_uuid: await meshUuidOf(operator, changes.mesh),
    target_disk: changes.targetDisk === 'auto' ? null : changes.targetDisk,
    inject_agent: changes.injectAgent,
    kexec_installer: changes.kexecInstaller,
    auto_update: changes.autoUpdate,
    boot_timeout_seconds: changes.bootTimeoutSeconds,
  };
  const machine = await api.patch(`${machinesPath}${uuid}`, body, machineSchema);
  if (output.json) return printJson(output, machine);
  printLines(output, describeMachine(machine, [], now()));
  if (machine.needs_provisioning && machine.provision_state === 'Installed') {
    output.stderr.write(`"durantic server provision ${machine.hostname}" brings the changes onto the machine.\n`);
  }
}

async function meshUuidOf({ api }: Operator, mesh: string | undefined): Promise<string | null | undefined> {
  if (mesh === undefined) return undefined;
  if (mesh === 'none') return null;
  return findObject(await api.get(meshNetworksPath, z.array(meshNetworkSchema)), 'mesh network', mesh).uuid;
}

/** @throws ProvisionError `confirmation_required` without a terminal and `yes`, `aborted` when the answer is no. */
export async function deleteMachine(operator: Operator, name: string, yes: boolean): Promise<void> {
  const { api, output, ask } = operator;
  const { uuid, hostname } = await machineNamed(api, name);
  if (!yes) {
    if (ask === null) {
      throw new ProvisionError('confirmation_required', 'without a terminal to ask on, say --yes');
    }
    const isWanted = await ask(`Delete ${hostname} (${uuid}) with its history? Its disk is not touched.`);
    if (!isWanted) throw new ProvisionError('aborted', 'the answer was not yes; the machine stays');
  }
  await api.delete(`${machinesPath}${uuid}`);
  if (output.json) return printJson(output, { uuid, removed: true });
  printLines(output, [`${hostname} (${uuid}) is deleted. It can enrol again with a token.`]);
}

/** Gives the key of the machine `from`, which then is no more, to the machine `name`. */
export async function adoptMachine({ api, output, now }: Operator, name: string, from: string): Promise<void> {
  const machine = await machineNamed(api, name);
  const source = await machineNamed(api, from);
  await api.post(`${machinesPath}${machine.uuid}/adopt`, { from: source.uuid }, z.unknown());
  const adopted = await machineOf(api, machine.uuid);
  if (output.json) return printJson(output, adopted);
  printLines(output, [
    `${machine.hostname} (${machine.uuid}) has the key of ${source.uuid} now, which is deleted.`,
    ...describeMachine(adopted, [], now()),
  ]);
}
