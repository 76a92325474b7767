import { readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'esbuild';

/**
 * Node's own modules, loaded when the module that imports them first runs. As plain imports they would all stand at
 * the top of the one bundle, and `durantic version` would load every module that any command needs (40 ms).
 */
export const lazyBuiltins: Plugin = {
  name: 'lazy-builtins',
  setup(build) {
    const namespace = 'builtin';
    build.onResolve({ filter: /.*/ }, ({ path }) =>
      isBuiltin(path) ? { path: `node:${path.replace(/^node:/, '')}`, namespace } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})`,
      loader: 'js',
    }));
  },
};

/** zod carries its messages in fifty languages, 200 kB that every start would parse; ours are English. */
export const englishOnly: Plugin = {
  name: 'english-only',
  setup(build) {
    build.onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
      loader: 'js',
    }));
  },
};

/** Modules that are scripts of their own in the binary: importer and name as written → what stands in for it. */
const apart = new Map([
  ['/cli/main.ts ./server.ts', 'server-from-asset.ts'],
  ['/cli/installer.ts ../installer/run-installer.ts', 'installer-from-asset.ts'],
  ['/installer/tui/open-screen.ts ./frame.ts', 'frame-from-asset.ts'],
]);

/** What runs from an asset of the binary stays out of the program itself; see core/base/script-asset.ts. */
export const partsApart: Plugin = {
  name: 'parts-apart',
  setup(build) {
    build.onResolve({ filter: /\/(server|frame|run-installer)\.ts$/ }, ({ path, importer, resolveDir }) => {
      const standIn = [...apart].find(([key]) => `${importer} ${path}`.endsWith(key))?.[1];
      return standIn === undefined ? undefined : { path: join(resolveDir, standIn) };
    });
  },
};

/**
 * undici's index loads all that it has, 730 kB; the program uses its clients and `request`. What is cut out here is its
 * `fetch`, its caches and interceptors and its mocks. Fails the build when a newer version is written otherwise.
 */
export const leanUndici: Plugin = {
  name: 'lean-undici',
  setup(build) {
    build.onLoad({ filter: /\/undici\/index\.js$/ }, async ({ path }) => {
      const [kept = '', cut] = (await readFile(path, 'utf8')).split(/^const fetchImpl = /m);
      const lean = kept
        .replaceAll(/^const .* = require\('\.\/lib\/mock\/.*\n/gm, '')
        .replaceAll(/^module\.exports\.(interceptors|cacheStores) = \{\n[^}]*\}\n/gm, '')
        .replaceAll(/^.*SqliteCacheStore.*\n/gm, '');
      if (cut === undefined || !/^function makeDispatcher /m.test(lean) || /cacheStores|interceptors|mock/.test(lean)) {
        throw new Error(`${path} is not written as it was: see lean-undici`);
      }
      const contents = `${lean}\nmodule.exports.request = makeDispatcher(api.request);\n`;
      return { contents, resolveDir: dirname(path), loader: 'js' };
    });
  },
};
