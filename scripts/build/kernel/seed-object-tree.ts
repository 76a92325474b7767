import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { runCommand } from '../../../core/base/run-command.ts';

/** Written when a tree is compiled; its time is that of the last use. */
export const builtStamp = 'durantic-built';

/**
 * Begins a new object tree as a copy of the one used last that the same tools made of the same version. Kbuild then
 * compiles only what the changed options reach (each object depends on the options that its source names,
 * scripts/basic/fixdep.c): a minute or two instead of twelve.
 * @param folder of the new tree; its name ends with the part that tells configurations apart.
 * @returns whether there was one.
 */
export async function seedObjectTree(folder: string, signal: AbortSignal): Promise<boolean> {
  const cache = dirname(folder);
  const family = basename(folder).replace(/[^-]*$/, '');
  const usedMs = (name: string): number => statSync(join(cache, name, builtStamp)).mtimeMs;
  const seed = readdirSync(cache)
    .filter((name) => name.startsWith(family) && name !== basename(folder))
    .filter((name) => existsSync(join(cache, name, builtStamp)))
    .sort((one, other) => usedMs(other) - usedMs(one))[0];
  if (seed === undefined) return false;
  const draft = mkdtempSync(join(cache, '.seed-'));
  try {
    await runCommand('cp', ['-a', '--reflink=auto', join(cache, seed), join(draft, 'tree')], { signal });
    // What tells of the old tree as a whole does not hold for the new one.
    for (const name of readdirSync(join(draft, 'tree'))) {
      if (name.startsWith('durantic')) rmSync(join(draft, 'tree', name));
    }
    renameSync(join(draft, 'tree'), folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return true;
}
