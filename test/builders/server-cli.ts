import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';

export const cliNode = join(import.meta.dirname, '../../node_modules/.bin/node');
export const cliMain = join(import.meta.dirname, '../../cli/main.ts');

export interface CliResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly input?: string;
  /** Beside those of the server; the empty string takes one away. */
  readonly env?: Readonly<Record<string, string>>;
}

/** `durantic server …` against this server, with its pin and admin token. */
export type ServerCli = (args: readonly string[], options?: CliOptions) => Promise<CliResult>;

export interface CliServer {
  readonly url: string;
  readonly adminToken: string;
  readonly pin: string;
}

/** Variables that make the command line speak to the server. */
export function cliEnvironment({ url, adminToken, pin }: CliServer): Record<string, string> {
  return { DURANTIC_ENDPOINT: url, DURANTIC_API_TOKEN: adminToken, DURANTIC_PIN: pin, DURANTIC_CA: '' };
}

const anyExitCode = Array.from({ length: 256 }, (_, code) => code);

/** The real program from source, one process a call. */
export function serverCli(server: CliServer): ServerCli {
  return async (args, options = {}) =>
    await runCommand(cliNode, [cliMain, 'server', ...args], {
      env: { ...cliEnvironment(server), ...options.env },
      okExitCodes: anyExitCode,
      ...(options.input === undefined ? {} : { input: options.input }),
    });
}
