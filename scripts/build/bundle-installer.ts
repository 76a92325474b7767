import { installerAsset } from '../../core/base/worker-sources.ts';
import { partsApart } from './bundle-plugins.ts';
import { bundleScript } from './bundle-script.ts';
import type { SourceVersion } from './source-version.ts';

/** Modules that script and program have in common; cli/installer-from-asset.ts hands them over. */
const shared = new Map([['core/base/errors.ts', 'errors']]);

/** The installer as a script of its own. @returns Asset name → file. */
export async function bundleInstaller(source: SourceVersion, outDir: string): Promise<Record<string, string>> {
  const entry = 'installer/installer-script.ts';
  return await bundleScript({ asset: installerAsset, entry, shared, plugins: [partsApart] }, { source, outDir });
}
