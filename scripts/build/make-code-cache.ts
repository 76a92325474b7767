import { basename, join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import { codeCacheOf } from '../../core/base/script-asset.ts';
import { installerAsset, programAsset, screensAsset, serverAsset } from '../../core/base/worker-sources.ts';
import { nodeBinary } from './paths.ts';

/** Parts with a code cache, and the arguments of the program that each runs with while its cache is made. */
const cached = new Map<string, readonly string[]>([
  // Runs when it is loaded.
  [programAsset, ['version']],
  [installerAsset, []],
  [screensAsset, []],
  [serverAsset, []],
]);

/**
 * V8's code cache of each part that has one: what it compiles of a script until all its modules have run. The binary
 * then neither parses those scripts nor compiles that again. Node hashes with a seed of its own at every start, and
 * the cache holds hashes: the fixed seed makes the same bytes of the same script.
 * @returns Asset name → file.
 */
export async function makeCodeCaches(
  assets: Readonly<Record<string, string>>,
  nodeOptions: readonly string[],
  outDir: string,
): Promise<Record<string, string>> {
  const made: Record<string, string> = {};
  for (const [asset, argv] of cached) {
    const script = assets[asset];
    if (script === undefined) continue;
    const out = join(outDir, codeCacheOf(basename(script)));
    const child = new URL('code-cache-child.ts', import.meta.url).pathname;
    await runCommand(nodeBinary, [...nodeOptions, '--random-seed=1', child, script, out, ...argv]);
    made[codeCacheOf(asset)] = out;
  }
  return made;
}
