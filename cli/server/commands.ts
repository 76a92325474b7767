import { type Command, InvalidArgumentError, Option } from 'commander';
import { machineHelp } from './arguments.ts';
import { type OperatorFlags, operatorCommand, withOperator } from './with-operator.ts';

const load = async () => await import('../../core/operator/commands.ts');

/** What an operator can give; installations have commands of their own. */
const kinds = ['Reboot', 'PowerOff', 'EnterInstaller', 'BootInstalledSystem', 'UpdateAgent', 'CollectLogs'] as const;

interface SendFlags extends OperatorFlags {
  readonly kexec?: string;
  readonly since?: string;
  readonly agentVersion?: string;
  readonly url?: string;
  readonly sha256?: string;
  readonly wait?: true;
}

/** `durantic server commands MACHINE [send KIND]` */
export function commandsCommand(): Command {
  return operatorCommand('commands', 'list the commands of a machine, or give it one')
    .usage('[options] <machine> [send <kind>]')
    .argument('<machine>', machineHelp)
    .argument('[send]', 'the word send, to give a command')
    .argument('[kind]', kinds.join(', '))
    .addOption(new Option('--kexec <how>', 'EnterInstaller, BootInstalledSystem').choices(['auto', 'never']))
    .option(
      '--since <time>',
      'CollectLogs: lines since then, such as 2026-11-20T12:00:00Z (default: all that are kept)',
    )
    .option('--agent-version <version>', 'UpdateAgent: version of the agent')
    .option('--url <url>', 'UpdateAgent: where its bundle is')
    .option('--sha256 <hex>', 'UpdateAgent: digest of its bundle')
    .option('--wait', 'until the command has an outcome; exit code 0 when it is done, 3 otherwise')
    .addHelpText('after', '\nA machine that is offline gets the command when it connects.')
    .action(async (machine: string, send: string | undefined, kind: string | undefined, flags: SendFlags) => {
      const wanted =
        send === undefined ? null : { kind: kindOf(send, kind), args: argsOf(flags), wait: flags.wait === true };
      await withOperator(flags, async (operator) => {
        const commands = await load();
        if (wanted === null) return await commands.listCommands(operator, machine);
        await commands.sendCommand(operator, machine, wanted);
      });
    });
}

/** `durantic server logs MACHINE` */
export function logsCommand(): Command {
  return operatorCommand('logs', 'print what the command CollectLogs has brought from a machine')
    .argument('<machine>', machineHelp)
    .action(async (machine: string, flags: OperatorFlags) => {
      await withOperator(flags, async (operator) => (await load()).printLogs(operator, machine));
    });
}

/** `reboot` and `power-off` are understood as well. */
function kindOf(send: string, kind: string | undefined): string {
  if (send !== 'send') throw new InvalidArgumentError(`after the machine comes nothing, or "send" and a command`);
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[-_]/g, '');
  const found = kinds.find((each) => kind !== undefined && plain(each) === plain(kind));
  if (found === undefined) throw new InvalidArgumentError(`a command is one of ${kinds.join(', ')}`);
  return found;
}

function argsOf(flags: SendFlags): Readonly<Record<string, string>> {
  const { kexec, since, agentVersion: version, url, sha256 } = flags;
  const given = { kexec, since, version, url, sha256 };
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
