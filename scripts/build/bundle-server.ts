import { serverAsset } from '../../core/base/worker-sources.ts';
import { bundleScript } from './bundle-script.ts';
import type { SourceVersion } from './source-version.ts';

/** Modules that script and program have in common; cli/server-from-asset.ts hands them over. */
const shared = new Map([
  ['commander', 'commander'],
  ['core/base/errors.ts', 'errors'],
]);

/** `durantic server` as a script of its own. @returns Asset name → file. */
export async function bundleServer(source: SourceVersion, outDir: string): Promise<Record<string, string>> {
  return await bundleScript({ asset: serverAsset, entry: 'cli/server.ts', shared }, { source, outDir });
}
