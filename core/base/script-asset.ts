import { createRequire } from 'node:module';
import { getAssetKeys, getRawAsset } from 'node:sea';
import { ProvisionError } from './errors.ts';
import { compileScript, type Require } from './script-code.ts';

/** Name of the SEA asset with V8's code cache of a script asset (scripts/build/make-code-cache.ts). */
export function codeCacheOf(asset: string): string {
  return `${asset}.cache`;
}

/**
 * Runs a part of the built binary that is a CommonJS script of its own, and gives what it exports. Parts are apart so
 * that no other command parses them at its start; those with a code cache are hardly parsed at all.
 * @param shared Modules that script and program have in common: what is compared by class or has state.
 * @throws ProvisionError `invariant` when the script exports nothing.
 */
export function runScriptAsset<T extends object>(asset: string, shared: Readonly<Record<string, unknown>>): T {
  const cache = codeCacheOf(asset);
  const { run } = compileScript({
    name: asset,
    source: Buffer.from(getRawAsset(asset)),
    // One of another V8 is passed over by V8 itself, and the script compiled.
    codeCache: getAssetKeys().includes(cache) ? Buffer.from(getRawAsset(cache)) : undefined,
  });
  const exports = run(createRequire(process.execPath) as Require, shared);
  if (Object.keys(exports).length === 0) {
    throw new ProvisionError('invariant', `the part ${asset} of this program exports nothing`);
  }
  return exports as T;
}
