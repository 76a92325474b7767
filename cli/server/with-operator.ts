import { createInterface } from 'node:readline/promises';
import { Command, Help, type Option } from 'commander';
import { ProvisionError } from '../../core/base/errors.ts';
import type { Operator } from '../../core/operator/operator.ts';
import type { ConnectionFlags } from '../../core/operator/read-connection.ts';
import { abortOnSignals } from '../abort-on-signals.ts';

/** Flags that every command has which speaks to a server. */
export interface OperatorFlags extends ConnectionFlags {
  readonly json?: true;
}

const serverGroup = 'Server:';

/** Every command has the same flags for its server: they come after its own. */
class ServerGroupLast extends Help {
  override groupItems<T extends Command | Option>(
    unsorted: T[],
    visible: T[],
    groupOf: (item: T) => string,
  ): Map<string, T[]> {
    const groups = super.groupItems(unsorted, visible, groupOf);
    const items = groups.get(serverGroup);
    groups.delete(serverGroup);
    return items === undefined ? groups : groups.set(serverGroup, items);
  }
}

/** A command that speaks to a server over REST. */
export function operatorCommand(name: string, description: string): Command {
  const command = new Command(name);
  command.createHelp = () => new ServerGroupLast();
  return command
    .description(description)
    .allowExcessArguments(false)
    .optionsGroup(serverGroup)
    .option('--endpoint <url>', 'its address (default: DURANTIC_ENDPOINT)')
    .option('--pin <sha256:…>', 'pin of its CA (default: DURANTIC_PIN)')
    .option('--ca <file>', 'its CA certificate, PEM (default: DURANTIC_CA)')
    .option('--data-dir <dir>', "on the server's own machine: 127.0.0.1:8443 and the CA of this data directory")
    .option('--json', 'print JSON')
    .addHelpText('after', '\nThe API token is read from DURANTIC_API_TOKEN.')
    .optionsGroup('Options:');
}

/** A group of such commands. */
export function operatorGroup(name: string, description: string): Command {
  return new Command(name).description(description).helpCommand(false);
}

/**
 * Adds the command that runs when none of the group is named. Its operands can only be a mistyped subcommand.
 */
export function addDefaultCommand(group: Command, command: Command): Command {
  command.allowExcessArguments(true).hook('preAction', (_hooked, { args: [name] }) => {
    if (name === undefined) return;
    const names = group.commands.map((each) => each.name()).join(', ');
    throw new ProvisionError('usage', `${group.name()} has no subcommand ${name}; it has ${names}`);
  });
  return group.addCommand(command, { isDefault: true });
}

/** Connects, runs and closes. */
export async function withOperator(flags: OperatorFlags, run: (operator: Operator) => Promise<void>): Promise<void> {
  const { readConnection } = await import('../../core/operator/read-connection.ts');
  const { createApiClient } = await import('../../core/api-client/create-api-client.ts');
  const connection = await readConnection(flags, process.env);
  if (connection.trust.kind === 'none') {
    process.stderr.write('durantic: DURANTIC_INSECURE_SKIP_VERIFY is set: nobody knows who receives the API token\n');
  }
  const signal = abortOnSignals();
  await using api = createApiClient({ ...connection, signal });
  await run({
    api,
    output: {
      stdout: process.stdout,
      stderr: process.stderr,
      json: flags.json === true,
      colour: process.stdout.isTTY === true && !process.env['NO_COLOR'],
    },
    signal,
    now: () => Date.now(),
    ask: process.stdin.isTTY === true && process.stderr.isTTY === true ? (question) => ask(question, signal) : null,
  });
}

async function ask(question: string, signal: AbortSignal): Promise<boolean> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await prompt.question(`${question} [y/N] `, { signal })).trim());
  } finally {
    prompt.close();
  }
}
