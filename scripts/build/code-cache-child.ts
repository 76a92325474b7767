import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import * as commander from 'commander';
import * as errors from '../../core/base/errors.ts';
import { compileScript, type Require } from '../../core/base/script-code.ts';

// code-cache-child.ts make SCRIPT CACHE ARGUMENT…: runs a part of the program and writes what V8 has compiled of it.
// code-cache-child.ts check SCRIPT CACHE: fails when this process, started as the binary is, would not take it.
const [mode, script = '', cache = '', ...argv] = process.argv.slice(2);
const part = { name: basename(script), source: readFileSync(script) };
if (mode === 'make') {
  process.argv = [process.execPath, process.execPath, ...argv];
  // Which functions the optimising compilers have reached is a matter of time, and the cache would tell it.
  setFlagsFromString('--no-sparkplug');
  setFlagsFromString('--no-maglev');
  setFlagsFromString('--no-opt');
  const compiled = compileScript({ ...part, codeCache: undefined });
  const exports: object = compiled.run(createRequire(process.execPath) as Require, { commander, errors });
  if ('finished' in exports) await exports.finished;
  if ('loadAll' in exports) await (exports.loadAll as () => Promise<void>)();
  // A cache is taken only by a V8 with the flags of the one that made it.
  setFlagsFromString('--sparkplug');
  setFlagsFromString('--maglev');
  setFlagsFromString('--opt');
  for (const name of ['min-semi', 'max-semi', 'initial-old']) setFlagsFromString(`--${name}-space-size=0`);
  const own = process.execArgv.slice(0, process.execArgv.indexOf('--random-seed=1'));
  for (const option of own.filter((name) => name.includes('-space-size='))) setFlagsFromString(option);
  writeFileSync(cache, compiled.codeCache());
} else if (!compileScript({ ...part, codeCache: readFileSync(cache) }).isFromCache) {
  throw new Error(`V8 does not take the code cache of ${script}`);
}
