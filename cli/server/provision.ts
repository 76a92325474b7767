import { type Command, Option } from 'commander';
import type { Output } from '../../core/operator/output.ts';
import type { RunDisplay } from '../../core/operator/watch-run.ts';
import { bootWays } from '../../protocol/commands.ts';
import { machineHelp } from './arguments.ts';
import { type OperatorFlags, operatorCommand, withOperator } from './with-operator.ts';

interface ProvisionFlags extends OperatorFlags {
  readonly yes?: true;
  readonly wait: boolean;
  readonly boot: (typeof bootWays)[number];
  readonly readBack: boolean;
}

const load = async () => await import('../../core/operator/provisions.ts');

const outcomes = `
Exit codes: 0 the run is completed, 2 to 7 as docs/errors.md has them for the run's code, 3 for any other end.
Stopping it with ^C only stops the watching; the installation goes on.`;

/** `durantic server provision MACHINE` */
export function provisionCommand(): Command {
  return operatorCommand('provision', 'install a machine and watch it; everything on its system disk is erased')
    .argument('<machine>', machineHelp)
    .option('--yes', 'do not ask')
    .option('--no-wait', 'queue the run and end')
    .addOption(
      new Option('--boot <how>', 'into the installed system; auto: by kexec where nothing speaks against it')
        .choices(bootWays)
        .default('reboot'),
    )
    .option('--read-back', 'read everything back from the disk before it is made bootable', false)
    .addHelpText(
      'after',
      `
The image is that of the machine's roles, else the default image ("durantic server account").
With --json: one line for each event of the run, then {"provision": …}.${outcomes}`,
    )
    .action(async (machine: string, flags: ProvisionFlags) => {
      const { wait, boot, readBack } = flags;
      const options = { yes: flags.yes === true, wait, boot, readBack };
      await withOperator(flags, async (operator) =>
        (await load()).provisionMachine(operator, machine, options, await displayOn(operator.output)),
      );
    });
}

/** `durantic server provisions MACHINE` */
export function provisionsCommand(): Command {
  return operatorCommand('provisions', "list a machine's runs, newest first")
    .argument('<machine>', machineHelp)
    .option('--watch', 'watch the newest run to its end')
    .addHelpText('after', outcomes)
    .action(async (machine: string, flags: OperatorFlags & { watch?: true }) => {
      await withOperator(flags, async (operator) => {
        const provisions = await load();
        if (flags.watch !== true) return await provisions.listRuns(operator, machine);
        await provisions.watchNewestRun(operator, machine, await displayOn(operator.output));
      });
    });
}

/** `durantic server events MACHINE [RUN]` */
export function eventsCommand(): Command {
  return operatorCommand('events', 'print the history of a run')
    .argument('<machine>', machineHelp)
    .argument('[run]', 'UUID of the run, or its beginning (default: the newest)')
    .action(async (machine: string, run: string | undefined, flags: OperatorFlags) => {
      await withOperator(flags, async (operator) => (await load()).listRunEvents(operator, machine, run));
    });
}

/** `durantic server cancel MACHINE` */
export function cancelCommand(): Command {
  return operatorCommand('cancel', 'end the run of a machine, or ask the machine to')
    .argument('<machine>', machineHelp)
    .action(async (machine: string, flags: OperatorFlags) => {
      await withOperator(flags, async (operator) => (await load()).cancelRun(operator, machine));
    });
}

/** `durantic server discover MACHINE` */
export function discoverCommand(): Command {
  return operatorCommand('discover', 'send a machine into the installer without installing')
    .argument('<machine>', machineHelp)
    .action(async (machine: string, flags: OperatorFlags) => {
      await withOperator(flags, async (operator) => (await load()).discoverMachine(operator, machine));
    });
}

async function displayOn({ json, stdout, stderr }: Output): Promise<RunDisplay> {
  if (json) return { entry: (entry) => void stdout.write(`${JSON.stringify(entry)}\n`) };
  const { createProgressDisplay } = await import('../progress-bar.ts');
  return createProgressDisplay(stderr);
}
