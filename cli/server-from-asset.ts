import * as commander from 'commander';
import * as errors from '../core/base/errors.ts';
import { runScriptAsset } from '../core/base/script-asset.ts';
import { serverAsset } from '../core/base/worker-sources.ts';

/** What cli/server.ts exports. */
type ServerModule = typeof import('./server.ts');

/**
 * Stands in for cli/server.ts in the built binary: the control plane is a script of its own, so that `durantic version`
 * and the agent do not parse it at every start (scripts/build/bundle-server.ts).
 */
export async function serverCommand(argv: readonly string[]): Promise<commander.Command> {
  return await runScriptAsset<ServerModule>(serverAsset, { commander, errors }).serverCommand(argv);
}
