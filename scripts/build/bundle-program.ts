import { build } from 'esbuild';
import { programAsset } from '../../core/base/worker-sources.ts';
import { lazyBuiltins, partsApart } from './bundle-plugins.ts';
import { bundleScript } from './bundle-script.ts';
import { repoDir } from './paths.ts';
import type { SourceVersion } from './source-version.ts';

/**
 * The whole program as one script. A SEA's `import()` takes built-in modules only, so nothing is split;
 * `await import('./x.ts')` of our own modules becomes a call that runs them at that time, not at start.
 * @returns Asset name → file.
 */
export async function bundleProgram(
  entry: string,
  source: SourceVersion,
  outDir: string,
): Promise<Record<string, string>> {
  const part = { asset: programAsset, entry, shared: new Map<string, string>(), plugins: [partsApart] };
  return await bundleScript(part, { source, outDir });
}

/** The few lines that the binary starts with. */
export async function bundleStart(): Promise<Uint8Array> {
  const result = await build({
    entryPoints: ['core/base/start-program.ts'],
    absWorkingDir: repoDir,
    bundle: true,
    minify: true,
    write: false,
    platform: 'node',
    target: 'node26',
    format: 'cjs',
    plugins: [lazyBuiltins],
    logLevel: 'warning',
  });
  const [output] = result.outputFiles;
  if (output === undefined) throw new Error('esbuild gave no output for the start of the program');
  return output.contents;
}
