import type { Command } from 'commander';
import { append, machineHelp, wholeNumber } from './arguments.ts';
import { knownMachineCommands } from './known-machines.ts';
import {
  addDefaultCommand,
  type OperatorFlags,
  operatorCommand,
  operatorGroup,
  withOperator,
} from './with-operator.ts';

const load = async () => await import('../../core/operator/machines.ts');

interface SetFlags extends OperatorFlags {
  readonly hostname?: string;
  readonly role?: readonly string[];
  readonly roles?: boolean;
  readonly mesh?: string;
  readonly targetDisk?: string;
  readonly injectAgent?: boolean;
  readonly kexecInstaller?: boolean;
  readonly autoUpdate?: boolean;
  readonly bootTimeout?: number;
}

/** `durantic server machines …` */
export function machinesCommand(): Command {
  const group = operatorGroup('machines', 'list, watch, show, set, delete and register machines')
    .addCommand(showCommand())
    .addCommand(setCommand())
    .addCommand(deleteCommand());
  for (const command of knownMachineCommands()) group.addCommand(command);
  return addDefaultCommand(group, listCommand());
}

function listCommand(): Command {
  return operatorCommand('list', 'list the machines')
    .option('--watch', 'go on and show every change: as a live table on a terminal, as lines elsewhere')
    .action(async (flags: OperatorFlags & { watch?: true }) => {
      await withOperator(flags, async (operator) => {
        if (flags.watch !== true) return await (await load()).listMachines(operator);
        await (await import('../../core/operator/watch-machines.ts')).watchMachines(operator);
      });
    });
}

function showCommand(): Command {
  return operatorCommand('show', 'show everything about a machine')
    .argument('<machine>', machineHelp)
    .action(async (machine: string, flags: OperatorFlags) => {
      await withOperator(flags, async (operator) => (await load()).showMachine(operator, machine));
    });
}

function setCommand(): Command {
  return operatorCommand('set', 'change a machine; what is not given stays as it is')
    .argument('<machine>', machineHelp)
    .option('--hostname <name>', 'its name, also for the installed system')
    .option('--role <name>', 'its roles, in this order; may be given several times and replaces the list', append)
    .option('--no-roles', 'no role at all')
    .option('--mesh <name>', 'mesh network; "none" for no membership')
    .option('--target-disk <disk>', '/dev/…, serial:…, wwn:…, or a rule; "auto": the only eligible one')
    .option('--inject-agent', 'put the agent into the installed system')
    .option('--no-inject-agent', 'leave it out')
    .option('--kexec-installer', 'enter the installer by kexec')
    .option('--no-kexec-installer', 'enter it by a reboot')
    .option('--auto-update', 'let the agent update itself')
    .option('--no-auto-update', 'do not')
    .option('--boot-timeout <seconds>', 'how long it may be away between systems', wholeNumber)
    .action(async (machine: string, flags: SetFlags) => {
      const { hostname, mesh, targetDisk, injectAgent, kexecInstaller, autoUpdate } = flags;
      const roles = flags.roles === false ? [] : flags.role;
      const bootTimeoutSeconds = flags.bootTimeout;
      const settings = { hostname, roles, mesh, targetDisk, injectAgent, kexecInstaller, autoUpdate };
      await withOperator(flags, async (operator) =>
        (await load()).setMachine(operator, machine, { ...settings, bootTimeoutSeconds }),
      );
    });
}

function deleteCommand(): Command {
  return operatorCommand('delete', 'delete a machine and its history; its disk is not touched')
    .argument('<machine>', machineHelp)
    .option('--yes', 'do not ask')
    .action(async (machine: string, flags: OperatorFlags & { yes?: true }) => {
      await withOperator(flags, async (operator) =>
        (await load()).deleteMachine(operator, machine, flags.yes === true),
      );
    });
}

/** `durantic server adopt MACHINE --from OTHER` */
export function adoptCommand(): Command {
  return operatorCommand('adopt', 'give a machine that lost its key the key of a second record of it')
    .argument('<machine>', `the record that stays: ${machineHelp}`)
    .requiredOption('--from <machine>', 'the newer record, which is deleted')
    .action(async (machine: string, flags: OperatorFlags & { from: string }) => {
      await withOperator(flags, async (operator) => (await load()).adoptMachine(operator, machine, flags.from));
    });
}
