import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import * as commander from 'commander';
import * as errors from '../../core/base/errors.ts';
import { compileScript, type Require } from '../../core/base/script-code.ts';

// code-cache-child.ts SCRIPT OUT ARGUMENT…: runs a part of the program and writes the code cache of what it compiled.
const [script = '', out = '', ...argv] = process.argv.slice(2);
process.argv = [process.execPath, process.execPath, ...argv];
const part = { name: basename(script), source: readFileSync(script) };
const compiled = compileScript({ ...part, codeCache: undefined });
const exports: object = compiled.run(createRequire(process.execPath) as Require, { commander, errors });
if ('finished' in exports) await exports.finished;
if ('loadAll' in exports) await (exports.loadAll as () => Promise<void>)();
const codeCache = compiled.codeCache();
if (!compileScript({ ...part, codeCache }).isFromCache) throw new Error(`V8 does not take its own cache of ${script}`);
writeFileSync(out, codeCache);
