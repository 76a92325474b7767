import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { compileFunction } from 'node:vm';
import { build } from 'esbuild';
import { lazyBuiltins } from '../../../../scripts/build/bundle-plugins.ts';
import { inkDefines, inkInScript } from '../../../../scripts/build/ink-plugin.ts';
import { repoDir } from '../../../../scripts/build/paths.ts';
import { sceneClock, scenes, stateOf } from '../../../builders/installer-scenes.ts';

process.env['FORCE_COLOR'] = '1';
const source = await import('../../../../installer/tui/frame.ts');

test('ink works in a CommonJS script as the binary holds one, and draws the same frames', async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(repoDir, 'installer/tui/frame.ts')],
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    platform: 'node',
    target: 'node26',
    format: 'cjs',
    mainFields: ['module', 'main'],
    plugins: [inkInScript, lazyBuiltins],
    define: { ...inkDefines, 'import.meta.url': '"file:///durantic/screens.js"' },
    logLevel: 'error',
  });
  const text = outputFiles[0]?.text ?? '';
  const developers = Object.keys(metafile.inputs).filter((path) => /\.development\.js$/.test(path));
  assert.deepEqual(developers, [], "React's code for developers is in it");
  const module: { exports: Partial<typeof source> } = { exports: {} };
  const run = compileFunction(text, ['module', 'exports', 'require']);
  run(module, module.exports, createRequire(import.meta.url));
  const view = { columns: 80, rows: 24, clock: sceneClock, typed: '', isAnswered: false };
  const state = stateOf(scenes['provisioning'] ?? []);
  assert.deepEqual(module.exports.renderFrame?.(state, view), source.renderFrame(state, view));
});
