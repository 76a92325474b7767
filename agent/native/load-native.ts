import { readdirSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { ProvisionError } from '../../core/base/errors.ts';
import { assetFile, isSea } from '../../core/base/sea-asset.ts';
import type { Native } from './native.ts';

const assetName = 'durantic-native.node';
const buildCommand = './scripts/build-native';
let loaded: Native | undefined;

/**
 * The addon, loaded at the first call.
 * @throws ProvisionError `bundle_missing` when it is not there, older than its source, or cannot be loaded.
 */
export function loadNative(): Native {
  loaded ??= open(assetFile(assetName));
  return loaded;
}

/** The addon's functions; loading it waits for the first use. */
export const native: Native = new Proxy({} as Native, {
  get: (_target, name) => Reflect.get(loadNative(), name),
});

function open(path: string): Native {
  if (!isSea()) refuseStale(path);
  const module = { exports: {} as Native };
  try {
    process.dlopen(module, path, constants.dlopen.RTLD_NOW);
  } catch (cause) {
    throw new ProvisionError('bundle_missing', `the native addon ${path} cannot be loaded`, { cause, facts: { path } });
  }
  return module.exports;
}

/** Run from source, an addon older than its C files would fail in ways that nobody understands. */
function refuseStale(path: string): void {
  const builtMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  const sourceDir = import.meta.dirname;
  const sources = readdirSync(sourceDir).filter((name) => /\.[ch]$/.test(name));
  const changedMs = Math.max(...sources.map((name) => statSync(join(sourceDir, name)).mtimeMs));
  if (builtMs !== undefined && builtMs >= changedMs) return;
  const state = builtMs === undefined ? 'is not built' : 'is older than its source';
  throw new ProvisionError('bundle_missing', `the native addon ${state}; build it with ${buildCommand}`, {
    facts: { path, command: buildCommand },
  });
}
