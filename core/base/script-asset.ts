import { createRequire } from 'node:module';
import { getAsset } from 'node:sea';
import { compileFunction } from 'node:vm';
import { ProvisionError } from './errors.ts';

/** What a part of the program that is a script of its own finds under this name (scripts/build/bundle-script.ts). */
export const sharedName = 'durantic$shared';

/**
 * Runs a part of the built binary that is a CommonJS script of its own, and gives what it exports. Parts are apart so
 * that no other command parses them at its start.
 * @param shared Modules that script and program have in common: what is compared by class or has state.
 * @throws ProvisionError `invariant` when the script exports nothing.
 */
export function runScriptAsset<T extends object>(asset: string, shared: Readonly<Record<string, unknown>>): T {
  const module: { exports: Partial<T> } = { exports: {} };
  const run = compileFunction(getAsset(asset, 'utf8'), ['module', 'exports', 'require', sharedName], {
    filename: asset,
  });
  run(module, module.exports, createRequire(process.execPath), shared);
  if (Object.keys(module.exports).length === 0) {
    throw new ProvisionError('invariant', `the part ${asset} of this program exports nothing`);
  }
  return module.exports as T;
}
