import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { describeError } from '../../core/base/describe-error.ts';
import { buildBinary } from './build-binary.ts';

const { values } = parseArgs({ options: { out: { type: 'string' }, quiet: { type: 'boolean', default: false } } });
const startedMs = performance.now();
try {
  const result = await buildBinary(values.out === undefined ? {} : { outDir: values.out });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const files = [result.binary, result.archive].map((file) => relative(process.cwd(), file)).join(', ');
  if (result.isNew || !values.quiet) console.log(`${result.isNew ? 'built' : 'unchanged'} in ${seconds} s: ${files}`);
} catch (error) {
  // esbuild has printed the places already; its stack trace would bury them.
  const isBundling = error instanceof Error && 'errors' in error;
  console.error(`build-binary: ${isBundling ? 'the program cannot be bundled, see above' : describeError(error)}`);
  process.exitCode = 1;
}
