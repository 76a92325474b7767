import { createRequire } from 'node:module';
import { getAsset } from 'node:sea';
import { compileFunction } from 'node:vm';
import * as commander from 'commander';
import * as errors from '../core/base/errors.ts';
import { serverAsset } from '../core/base/worker-sources.ts';

/** What cli/server.ts exports. */
type ServerModule = typeof import('./server.ts');

/**
 * Stands in for cli/server.ts in the built binary: the control plane is a script of its own, so that `durantic version`
 * and the agent do not parse it at every start (scripts/build/bundle-server.ts). It shares with the program what is
 * compared by class.
 */
export async function serverCommand(argv: readonly string[]): Promise<commander.Command> {
  const module: { exports: Partial<ServerModule> } = { exports: {} };
  const run = compileFunction(getAsset(serverAsset, 'utf8'), ['module', 'exports', 'require', 'durantic$shared'], {
    filename: serverAsset,
  });
  run(module, module.exports, createRequire(process.execPath), { commander, errors });
  const { serverCommand: command } = module.exports;
  if (command === undefined) throw new errors.ProvisionError('invariant', 'the server is not in this program');
  return await command(argv);
}
