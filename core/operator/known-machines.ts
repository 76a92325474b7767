import { installMarkSchema, knownMachineSchema } from '../../protocol/api/known-machines.ts';
import { plainLine } from '../base/plain-text.ts';
import { machineNamed, machinesPath } from './machine-paths.ts';
import type { Operator } from './operator.ts';
import { printJson, printLines } from './output.ts';
import { shortTime } from './time-ago.ts';

export interface KnownMachine {
  readonly macs: readonly string[];
  readonly hostname: string | undefined;
}

/** Registers a machine by its MAC addresses before it is there. */
export async function registerMachine({ api, output }: Operator, wanted: KnownMachine): Promise<void> {
  const machine = await api.post('/api/provisioning/known-machines/', wanted, knownMachineSchema);
  if (output.json) return printJson(output, machine);
  printLines(output, [
    plainLine(`${machine.hostname} (${machine.uuid}) is registered with ${machine.macs.join(', ')}.`),
    `"durantic server machines mark ${machine.uuid}" lets its next network boot enrol it.`,
  ]);
}

/** The next network boot gets the installer. */
export async function markMachine({ api, output }: Operator, name: string, minutes: number | undefined): Promise<void> {
  const machine = await machineNamed(api, name);
  const mark = await api.post(`${machinesPath}${machine.uuid}/install-mark`, { minutes }, installMarkSchema);
  if (output.json) return printJson(output, mark);
  const until = `until ${shortTime(mark.install_until)} UTC`;
  printLines(output, [plainLine(`The next network boot of ${machine.hostname} gets the installer, ${until}.`)]);
}

/** The next network boot goes to the local disk again. */
export async function unmarkMachine({ api, output }: Operator, name: string): Promise<void> {
  const machine = await machineNamed(api, name);
  await api.delete(`${machinesPath}${machine.uuid}/install-mark`);
  if (output.json) return printJson(output, { machine_uuid: machine.uuid, install_until: null });
  printLines(output, [plainLine(`The next network boot of ${machine.hostname} goes to its local disk.`)]);
}
