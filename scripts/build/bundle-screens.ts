import { screensAsset } from '../../core/base/worker-sources.ts';
import { bundleScript } from './bundle-script.ts';
import { inkDefines, inkInScript } from './ink-plugin.ts';
import type { SourceVersion } from './source-version.ts';

/** The installer's screens as a script of their own; it takes facts and gives lines. @returns Asset name → file. */
export async function bundleScreens(source: SourceVersion, outDir: string): Promise<Record<string, string>> {
  const entry = 'installer/tui/frame.ts';
  const part = { asset: screensAsset, entry, shared: new Map(), plugins: [inkInScript], define: inkDefines };
  return await bundleScript(part, { source, outDir });
}
