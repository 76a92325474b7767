import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Plugin } from 'esbuild';

/** What `bundleScript` must define for a part with screens: React's own checks for developers stay out of it. */
export const inkDefines = { 'process.env.NODE_ENV': '"production"' } as const;

/**
 * Lets ink run in a CommonJS script, which has no top-level await. It has two: yoga-layout waits for its WebAssembly,
 * here compiled and started at once (70 kB, 5 ms); ink's reconciler waits for React's developer tools, here left out.
 * The replacements fail the build when a newer version of either package has other words there.
 */
export const inkInScript: Plugin = {
  name: 'ink-in-script',
  setup(build) {
    build.onLoad({ filter: /\/yoga-layout\/dist\/src\/index\.js$/ }, ({ path }) => ({
      contents: synchronousYoga,
      resolveDir: dirname(path),
      loader: 'js',
    }));
    build.onLoad({ filter: /\/yoga-layout\/dist\/binaries\/yoga-wasm-base64-esm\.js$/ }, async ({ path }) => ({
      contents: replaced(await readFile(path, 'utf8'), 'function ya(){', 'h.takeBinary=wa;function ya(){', path),
      loader: 'js',
    }));
    build.onLoad({ filter: /\/ink\/build\/reconciler\.js$/ }, async ({ path }) => ({
      contents: replaced(await readFile(path, 'utf8'), "process.env['DEV'] === 'true'", 'false', path),
      loader: 'js',
    }));
  },
};

/** yoga-layout's index.js without its await. `instantiateWasm` is Emscripten's hook for this. */
const synchronousYoga = `
import loadYoga from '../binaries/yoga-wasm-base64-esm.js';
import wrapAssembly from './wrapAssembly.js';
const yoga = {
  instantiateWasm(imports, receive) {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(yoga.takeBinary()), imports);
    receive(instance);
    return instance.exports;
  },
};
loadYoga(yoga);
const wrapped = wrapAssembly(yoga);
export { wrapped as default };
export * from './generated/YGEnums.js';
`;

function replaced(text: string, from: string, to: string, path: string): string {
  if (!text.includes(from)) throw new Error(`${path} does not have the words that are to be replaced: ${from}`);
  return text.replaceAll(from, to);
}
