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
 * Equal bytes from equal scripts: the cache holds hashes, so the seed is fixed; and memory that V8 leaves as it finds it
 * between its objects, so the collector, which leaves traces there, gets nothing to do.
 */
const reproducible = [
  '--random-seed=1',
  '--min-semi-space-size=128',
  '--max-semi-space-size=128',
  '--initial-old-space-size=1024',
];

/**
 * V8's code cache of each part that has one: what it compiles of a script until all its modules have run. The binary
 * then neither parses those scripts nor compiles that again.
 * @param assets Name and file of each; those of which a cache is made lie in `outDir`.
 * @param nodeOptions The ones that the binary starts with.
 * @returns Asset name → file.
 */
export async function makeCodeCaches(
  assets: Readonly<Record<string, string>>,
  nodeOptions: readonly string[],
  outDir: string,
): Promise<Record<string, string>> {
  const made: Record<string, string> = {};
  const child = new URL('code-cache-child.ts', import.meta.url).pathname;
  for (const [asset, argv] of cached) {
    const script = assets[asset];
    if (script === undefined) continue;
    // Names without a folder: the cache would tell where it was made.
    const [name, cache] = [basename(script), codeCacheOf(asset)];
    const options = { cwd: outDir };
    await runCommand(nodeBinary, [...nodeOptions, ...reproducible, child, 'make', name, cache, ...argv], options);
    await runCommand(nodeBinary, [...nodeOptions, child, 'check', name, cache], options);
    made[codeCacheOf(asset)] = join(outDir, cache);
  }
  return made;
}
