import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { type WorkerName, workerAsset, workerSources } from '../../core/base/worker-sources.ts';
import { distDir, repoDir } from './paths.ts';

/** Each worker as one script, which the program starts from its text. @returns Asset name → file. */
export async function bundleWorkers(): Promise<Record<string, string>> {
  const folder = join(distDir, 'assets');
  mkdirSync(folder, { recursive: true });
  const assets: Record<string, string> = {};
  for (const [name, source] of Object.entries(workerSources)) {
    const asset = workerAsset(name as WorkerName);
    const outfile = join(folder, asset);
    await build({
      entryPoints: [join(repoDir, source)],
      absWorkingDir: repoDir,
      outfile,
      bundle: true,
      minify: true,
      platform: 'node',
      target: 'node26',
      // `new Worker(text, { eval: true })` runs CommonJS.
      format: 'cjs',
      legalComments: 'none',
      charset: 'ascii',
      logLevel: 'warning',
    });
    assets[asset] = outfile;
  }
  return assets;
}
