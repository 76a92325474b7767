import type { Command } from 'commander';
import { append, machineHelp, wholeNumber } from './arguments.ts';
import { type OperatorFlags, operatorCommand, withOperator } from './with-operator.ts';

const load = async () => await import('../../core/operator/known-machines.ts');

/** Subcommands of `durantic server machines` for network boot. */
export function knownMachineCommands(): Command[] {
  return [registerCommand(), markCommand(), unmarkCommand()];
}

function registerCommand(): Command {
  return operatorCommand('register', 'register a machine by its MAC addresses before it is there')
    .requiredOption('--mac <address>', 'of one of its interfaces; may be given several times', append)
    .option('--hostname <name>', 'its name (default: node- and the last digits of the address)')
    .action(async (flags: OperatorFlags & { mac: readonly string[]; hostname?: string }) => {
      const wanted = { macs: flags.mac, hostname: flags.hostname };
      await withOperator(flags, async (operator) => (await load()).registerMachine(operator, wanted));
    });
}

function markCommand(): Command {
  return operatorCommand('mark', 'give the installer to the next network boot of a machine')
    .argument('<machine>', machineHelp)
    .option('--minutes <number>', 'how long the mark lasts (default: 60)', wholeNumber)
    .action(async (machine: string, flags: OperatorFlags & { minutes?: number }) => {
      await withOperator(flags, async (operator) => (await load()).markMachine(operator, machine, flags.minutes));
    });
}

function unmarkCommand(): Command {
  return operatorCommand('unmark', 'let the next network boot of a machine go to its local disk')
    .argument('<machine>', machineHelp)
    .action(async (machine: string, flags: OperatorFlags) => {
      await withOperator(flags, async (operator) => (await load()).unmarkMachine(operator, machine));
    });
}
