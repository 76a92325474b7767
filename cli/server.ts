import { Command } from 'commander';

interface Entry {
  readonly name: string;
  readonly load: () => Promise<Command>;
}

/** One entry a subcommand; each module is loaded only when its command runs, or for the help of the group. */
const subcommands: readonly Entry[] = [
  { name: 'run', load: async () => (await import('./server/run.ts')).runCommand() },
  { name: 'backup', load: async () => (await import('./server/backup.ts')).backupCommand() },
  { name: 'restore', load: async () => (await import('./server/restore.ts')).restoreCommand() },
  { name: 'api-token', load: async () => (await import('./server/api-token.ts')).apiTokenCommand() },
];

/** `durantic server`: the control plane and the commands of its operator. */
export async function serverCommand(argv: readonly string[]): Promise<Command> {
  const group = new Command('server').description('run the control plane, and operate it').helpCommand(false);
  const wanted = subcommands.find(({ name }) => name === argv[1]);
  for (const entry of wanted === undefined ? subcommands : [wanted]) group.addCommand(await entry.load());
  return group;
}
