import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { builtStamp } from './seed-object-tree.ts';

/** Object trees and source trees that stay, the ones in use among them: 0.5 GB and 0.9 GB each. */
const keptCount = 2;

/**
 * Removes older trees from the cache, and what an interrupted run left. The caller holds the lock.
 * @param inUse absolute paths that stay in any case.
 */
export function pruneKernelCache(folder: string, inUse: readonly string[]): void {
  const names = readdirSync(folder);
  for (const prefix of ['build-', 'source-']) {
    const trees = names
      .filter((name) => name.startsWith(prefix))
      .map((name) => join(folder, name))
      .filter((path) => !inUse.includes(path))
      .map((path) => ({ path, usedMs: lastUseMs(path) }))
      .sort((one, other) => other.usedMs - one.usedMs);
    for (const { path } of trees.slice(keptCount - 1)) rmSync(path, { recursive: true, force: true });
  }
  for (const name of names.filter((each) => /^\.(unpack|apt|download|seed)-/.test(each))) {
    rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** The stamp of a finished build is touched at every use; an unfinished one counts from its beginning. */
function lastUseMs(tree: string): number {
  const stamp = statSync(join(tree, builtStamp), { throwIfNoEntry: false });
  return (stamp ?? statSync(tree)).mtimeMs;
}
