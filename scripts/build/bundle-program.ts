import { build } from 'esbuild';
import { englishOnly, lazyBuiltins, partsApart } from './bundle-plugins.ts';
import { repoDir } from './paths.ts';
import type { SourceVersion } from './source-version.ts';

// CommonJS packages call require() for Node's own modules, which an ES module does not have.
const banner =
  "import{createRequire as durantic$require}from'node:module';const require=durantic$require(import.meta.url);";

/**
 * The whole program as one minified ES module. A SEA's `import()` takes built-in modules only, so nothing is split;
 * `await import('./x.ts')` of our own modules becomes a call that runs them at that time, not at start.
 */
export async function bundleProgram(entry: string, source: SourceVersion): Promise<Uint8Array> {
  const result = await build({
    entryPoints: [entry],
    absWorkingDir: repoDir,
    bundle: true,
    minify: true,
    write: false,
    platform: 'node',
    target: 'node26',
    format: 'esm',
    mainFields: ['module', 'main'],
    legalComments: 'none',
    // One byte per character is read and parsed faster.
    charset: 'ascii',
    plugins: [lazyBuiltins, englishOnly, partsApart],
    banner: { js: banner },
    define: {
      DURANTIC_VERSION: JSON.stringify(source.version),
      DURANTIC_COMMIT: JSON.stringify(source.commit),
    },
    logLevel: 'warning',
  });
  const [output] = result.outputFiles;
  if (output === undefined) throw new Error(`esbuild gave no output for ${entry}`);
  return output.contents;
}
