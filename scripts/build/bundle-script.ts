import { join, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { sharedName } from '../../core/base/script-code.ts';
import { englishOnly, lazyBuiltins, leanUndici } from './bundle-plugins.ts';
import { repoDir } from './paths.ts';
import type { SourceVersion } from './source-version.ts';

export interface ScriptPart {
  /** Name of the SEA asset. */
  readonly asset: string;
  /** Its first module, from the repository's root or absolute. */
  readonly entry: string;
  /** Modules that script and program have in common, from the repository's root or by package, and the name of each. */
  readonly shared: ReadonlyMap<string, string>;
  readonly plugins?: readonly Plugin[];
  readonly define?: Readonly<Record<string, string>>;
}

/** One part of the program as a CommonJS script, an asset of the binary; `runScriptAsset` runs it. @returns Asset name → file. */
export async function bundleScript(
  part: ScriptPart,
  { source, outDir }: { readonly source: SourceVersion; readonly outDir: string },
): Promise<Record<string, string>> {
  const outfile = join(outDir, part.asset);
  await build({
    entryPoints: [resolve(repoDir, part.entry)],
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
    plugins: [...(part.plugins ?? []), lazyBuiltins, englishOnly, leanUndici, shareWithProgram(part.shared)],
    define: {
      DURANTIC_VERSION: JSON.stringify(source.version),
      DURANTIC_COMMIT: JSON.stringify(source.commit),
      // Both only name files of a source tree, which the built program has not.
      'import.meta.url': JSON.stringify(`file:///durantic/${part.asset}`),
      'import.meta.dirname': JSON.stringify('/durantic'),
      ...part.define,
    },
    logLevel: 'warning',
  });
  return { [part.asset]: outfile };
}

function shareWithProgram(shared: ReadonlyMap<string, string>): Plugin {
  const names = new Map([...shared].map(([path, name]) => [path.includes('/') ? join(repoDir, path) : path, name]));
  const namespace = 'shared';
  return {
    name: 'share-with-program',
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ path, resolveDir, kind }) => {
        if (kind === 'entry-point') return undefined;
        const name = names.get(path.startsWith('.') ? resolve(resolveDir, path) : path);
        return name === undefined ? undefined : { path: name, namespace };
      });
      build.onLoad({ filter: /.*/, namespace }, ({ path }) => ({
        contents: `module.exports = ${sharedName}.${path}`,
        loader: 'js',
      }));
    },
  };
}
