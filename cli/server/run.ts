import { Command } from 'commander';
import { abortOnSignals } from '../abort-on-signals.ts';

/** `durantic server run`: the control plane, until SIGTERM or SIGINT. */
export function runCommand(): Command {
  return new Command('run')
    .description('run the control plane')
    .option('--data-dir <DIR>', 'database, keys and certificates; made when it is not there')
    .option('--listen <ADDRESS>', 'address and port (default: 0.0.0.0:8443)')
    .option('--public-url <URL>', 'how machines reach this server; may be repeated', append)
    .option('--http-boot <ADDRESS>', 'also serve what firmware fetches, without TLS, such as 0.0.0.0:8080')
    .option('--assets <DIR>', 'folder with vmlinuz, installer ISO and agent bundle')
    .option('--tls-cert <FILE>', 'certificate to use instead of an own one, with its chain (PEM)')
    .option('--tls-key <FILE>', 'its private key (PEM)')
    .option('--tls-ca <FILE>', 'the CA that machines are to trust for it (default: those of their system)')
    .option('--registry-ca <FILE>', 'CAs of registries, trusted by this server and by machines (PEM)')
    .option('--registry-at <NAME=ADDRESS>', 'where this server finds a registry; may be repeated', append)
    .option('--config <FILE>', 'YAML with the names of these flags; flags win')
    .option('--plain-http', 'speak HTTP without TLS, for tests and behind a proxy')
    .option('--log-level <LEVEL>', 'debug, info, warn or error (default: info)')
    .allowExcessArguments(false)
    .action(async (_flags, command: Command) => {
      const { runServer } = await import('../../control-plane/server/run-server.ts');
      await runServer(flagValues(command), {
        signal: abortOnSignals(),
        print: (text) => process.stdout.write(text),
      });
    });
}

function append(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}

/** Name of each flag that was given (`public-url`) and its values. */
function flagValues(command: Command): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    if (value !== undefined) values.set(option.name(), [value].flat().map(String));
  }
  return values;
}
