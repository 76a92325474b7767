import { Command } from 'commander';

interface EnrollFlags {
  readonly server: string;
  readonly pin?: string;
  readonly ca?: string;
  readonly tokenFile?: string;
  readonly approval?: true;
  readonly plainHttp?: true;
  readonly force?: true;
  readonly setClock?: true;
  readonly config: string;
  readonly stateDir: string;
}

/** `durantic enroll`: first contact of an installed machine. */
export function enrollCommand(): Command {
  return new Command('enroll')
    .description('make this machine known to a durantic server; the token comes from DURANTIC_TOKEN or --token-file')
    .requiredOption('--server <URL>', 'address of the server, https://HOST:PORT')
    .option('--pin <PIN>', "sha256:… of the server's CA, as the server prints it")
    .option('--ca <FILE>', "the server's CA certificate (PEM), in place of the system's roots")
    .option('--token-file <FILE>', 'file that holds the token, - for standard input')
    .option('--approval', 'show a code that an operator approves, instead of a token')
    .option('--plain-http', 'allow a server without TLS')
    .option('--force', 'leave the server that the machine belongs to')
    .option('--set-clock', "set a clock that cannot be right to the server's time (needs --pin)")
    .option('--config <FILE>', 'configuration that is written', '/etc/durantic/agent.yaml')
    .option('--state-dir <DIR>', 'where the identity is written', '/var/lib/durantic')
    .allowExcessArguments(false)
    .action(async (flags: EnrollFlags) => {
      const { runEnrollCli } = await import('./run-enroll-cli.ts');
      await runEnrollCli({
        server: flags.server,
        pin: flags.pin ?? null,
        caFile: flags.ca ?? null,
        tokenFile: flags.tokenFile ?? null,
        approval: flags.approval === true,
        plainHttp: flags.plainHttp === true,
        force: flags.force === true,
        setClock: flags.setClock === true,
        configFile: flags.config,
        stateDir: flags.stateDir,
      });
    });
}
