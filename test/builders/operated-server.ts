import assert from 'node:assert/strict';
import type { Resources } from '../resources.ts';
import { PlayedMachine } from './played-machine.ts';
import { startTestServer, type TestServer } from './server.ts';
import { type CliResult, type ServerCli, serverCli } from './server-cli.ts';
import { insertTestMachine } from './test-agent.ts';

/** A real server and the real command line that operates it. */
export interface OperatedServer {
  readonly server: TestServer;
  readonly cli: ServerCli;
  /** A command that must succeed; gives stdout. */
  readonly ok: (args: readonly string[], input?: string) => Promise<string>;
  /** The same with `--json`, parsed. What the test names as `T` it must check itself. */
  readonly json: <T = unknown>(args: readonly string[], input?: string) => Promise<T>;
  /** A machine that has enrolled and was not seen yet. */
  readonly machine: (hostname: string) => PlayedMachine;
}

export async function operateServer(resources: Resources): Promise<OperatedServer> {
  const server = await startTestServer(resources);
  const cli = serverCli(server);
  const ok: OperatedServer['ok'] = async (args, input) => {
    const result = await cli(args, input === undefined ? {} : { input });
    assert.equal(result.exitCode, 0, `${args.join(' ')}: ${result.stderr}`);
    return result.stdout;
  };
  return {
    server,
    cli,
    ok,
    json: async <T>(args: readonly string[], input?: string) => JSON.parse(await ok([...args, '--json'], input)) as T,
    machine: (hostname) => {
      const identity = insertTestMachine(server.context);
      const { db } = server.context;
      db.prepare('UPDATE machines SET hostname = ? WHERE uuid = ?').run(hostname, identity.machineUuid);
      return new PlayedMachine(resources, { url: server.url, ca: server.caCertificate, identity });
    },
  };
}

/** Asserts that a command ended with this exit code and sentence, and printed nothing else. */
export function assertRefused(result: CliResult, exitCode: number, message: RegExp): void {
  assert.match(result.stderr, message);
  assert.equal(result.exitCode, exitCode, result.stderr);
  assert.equal(result.stdout, '');
}
