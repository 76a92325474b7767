import { join, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { serverAsset } from '../../core/base/worker-sources.ts';
import { englishOnly, lazyBuiltins } from './bundle-plugins.ts';
import { distDir, repoDir } from './paths.ts';
import type { SourceVersion } from './source-version.ts';

/** Modules that script and program have in common; cli/server-from-asset.ts hands them over. */
const sharedModules = new Map([
  ['commander', 'commander'],
  [join(repoDir, 'core', 'base', 'errors.ts'), 'errors'],
]);

const shareWithProgram: Plugin = {
  name: 'share-with-program',
  setup(build) {
    const namespace = 'shared';
    build.onResolve({ filter: /^commander$|\/errors\.ts$/ }, ({ path, resolveDir }) => {
      const name = sharedModules.get(path.startsWith('.') ? resolve(resolveDir, path) : path);
      return name === undefined ? undefined : { path: name, namespace };
    });
    build.onLoad({ filter: /.*/, namespace }, ({ path }) => ({
      contents: `module.exports = durantic$shared.${path}`,
      loader: 'js',
    }));
  },
};

/** `durantic server` as one CommonJS script, an asset of the binary. @returns Asset name → file. */
export async function bundleServer(source: SourceVersion): Promise<Record<string, string>> {
  const outfile = join(distDir, 'assets', serverAsset);
  await build({
    entryPoints: [join(repoDir, 'cli', 'server.ts')],
    absWorkingDir: repoDir,
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node26',
    format: 'cjs',
    mainFields: ['module', 'main'],
    legalComments: 'none',
    charset: 'ascii',
    plugins: [lazyBuiltins, englishOnly, shareWithProgram],
    define: {
      DURANTIC_VERSION: JSON.stringify(source.version),
      DURANTIC_COMMIT: JSON.stringify(source.commit),
      // Only names files of a source tree, which the built program has not.
      'import.meta.url': '"file:///durantic/server-program.js"',
    },
    logLevel: 'warning',
  });
  return { [serverAsset]: outfile };
}
