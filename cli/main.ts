import { Command, CommanderError } from 'commander';
import { describeError, stackOf } from '../core/base/describe-error.ts';
import { exitCodeOfKind } from '../core/base/error-codes.ts';
import { exitCodeOf, ProvisionError } from '../core/base/errors.ts';
import { outliveReader } from './outlive-reader.ts';

/** One entry a subcommand; each module is loaded only when its command runs. */
const subcommands: readonly { name: string; load: (argv: readonly string[]) => Promise<Command> }[] = [
  { name: 'provision', load: async () => (await import('./provision.ts')).provisionCommand() },
  { name: 'inspect', load: async () => (await import('./inspect.ts')).inspectCommand() },
  { name: 'wipe', load: async () => (await import('./wipe.ts')).wipeCommand() },
  { name: 'image', load: async () => (await import('./image.ts')).imageCommand() },
  { name: 'enroll', load: async () => (await import('./enroll.ts')).enrollCommand() },
  { name: 'agent', load: async () => (await import('./agent.ts')).agentCommand() },
  { name: 'installer', load: async () => (await import('./installer.ts')).installerCommand() },
  { name: 'server', load: async (argv) => (await import('./server.ts')).serverCommand(argv) },
  { name: 'version', load: async () => (await import('./version.ts')).versionCommand() },
];

async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('durantic')
    .description('Installs operating systems by streaming OCI images straight to disk')
    .helpCommand(false)
    .showHelpAfterError(false);
  const wanted = subcommands.find(({ name }) => name === argv[0]);
  for (const entry of wanted === undefined ? subcommands : [wanted]) program.addCommand(await entry.load(argv));
  forEachCommand(program, (command) => {
    command.exitOverride().configureOutput({ outputError: () => undefined });
  });
  if (argv.length === 0) {
    program.outputHelp();
    return;
  }
  await program.parseAsync(argv, { from: 'user' });
}

function forEachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) forEachCommand(child, visit);
}

/** The edge of the program: the only place that prints an error and decides the exit code. */
async function report(thrown: unknown, argv: readonly string[]): Promise<void> {
  // Help and version end with exit code 0 and were printed already.
  if (thrown instanceof CommanderError && thrown.exitCode === 0) return;
  const error = thrown instanceof CommanderError ? usageError(thrown) : thrown;
  process.exitCode = exitCodeOf(error);
  if (error instanceof ProvisionError && error.reported) return;
  if (argv[0] === 'provision' && argv.includes('--json') && process.exitCode !== exitCodeOfKind.bug) {
    const { printUnstarted } = await import('./print-unstarted.ts');
    return printUnstarted(error);
  }
  const code = error instanceof ProvisionError ? ` [${error.code}]` : '';
  process.stderr.write(`durantic: ${describeError(error)}${code}\n`);
  const stack = stackOf(error);
  if (stack !== undefined) process.stderr.write(`${stack}\n`);
}

function usageError(error: CommanderError): ProvisionError {
  const message = error.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ');
  return new ProvisionError('usage', message);
}

// Without it a promise that nothing settles would end the process as if all were well.
let isSettled = false;
process.once('exit', () => {
  if (isSettled) return;
  process.exitCode = exitCodeOfKind.bug;
  process.stderr.write(
    'durantic: the program ended in the middle of its work, which is a defect of durantic [invariant]\n',
  );
});

async function run(argv: readonly string[]): Promise<void> {
  outliveReader(argv);
  try {
    await main(argv);
  } catch (error) {
    await report(error, argv);
  } finally {
    isSettled = true;
  }
}

/** Never rejects. In the binary this module is a script without top-level await. */
export const finished = run(process.argv.slice(2));
