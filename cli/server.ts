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
  { name: 'token', load: async () => (await import('./server/token.ts')).tokenCommand() },
  { name: 'approvals', load: async () => (await import('./server/approvals.ts')).approvalsCommand() },
  { name: 'approve', load: async () => (await import('./server/approvals.ts')).approveCommand() },
  { name: 'deny', load: async () => (await import('./server/approvals.ts')).denyCommand() },
  { name: 'machines', load: async () => (await import('./server/machines.ts')).machinesCommand() },
  { name: 'adopt', load: async () => (await import('./server/machines.ts')).adoptCommand() },
  { name: 'provision', load: async () => (await import('./server/provision.ts')).provisionCommand() },
  { name: 'provisions', load: async () => (await import('./server/provision.ts')).provisionsCommand() },
  { name: 'events', load: async () => (await import('./server/provision.ts')).eventsCommand() },
  { name: 'cancel', load: async () => (await import('./server/provision.ts')).cancelCommand() },
  { name: 'discover', load: async () => (await import('./server/provision.ts')).discoverCommand() },
  { name: 'commands', load: async () => (await import('./server/commands.ts')).commandsCommand() },
  { name: 'logs', load: async () => (await import('./server/commands.ts')).logsCommand() },
  { name: 'images', load: async () => (await import('./server/images.ts')).imagesCommand() },
  {
    name: 'registry-credentials',
    load: async () => (await import('./server/registry-credentials.ts')).registryCredentialsCommand(),
  },
  { name: 'roles', load: async () => (await import('./server/roles.ts')).rolesCommand() },
  { name: 'variables', load: async () => (await import('./server/variables.ts')).variablesCommand() },
  { name: 'secrets', load: async () => (await import('./server/secrets.ts')).secretsCommand() },
  { name: 'mesh-networks', load: async () => (await import('./server/mesh-networks.ts')).meshNetworksCommand() },
  { name: 'account', load: async () => (await import('./server/account.ts')).accountCommand() },
];

const connectionHelp = `
run, backup, restore and api-token work on a data directory. All others speak to a server, which can be anywhere:
  DURANTIC_ENDPOINT   its address, such as https://server:8443
  DURANTIC_API_TOKEN  an API token
  DURANTIC_PIN        the pin of its CA; without it the CA must be one that this system trusts`;

/** `durantic server`: the control plane and the commands of its operator. */
export async function serverCommand(argv: readonly string[]): Promise<Command> {
  const group = new Command('server')
    .description('run the control plane, and operate it')
    .helpCommand(false)
    .addHelpText('after', connectionHelp);
  const wanted = subcommands.find(({ name }) => name === argv[1]);
  for (const entry of wanted === undefined ? subcommands : [wanted]) group.addCommand(await entry.load());
  return group;
}
