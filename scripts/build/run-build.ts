import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { describeError } from '../../core/base/describe-error.ts';
import { buildBinary } from './build-binary.ts';

const { values } = parseArgs({ options: { out: { type: 'string' }, quiet: { type: 'boolean', default: false } } });
const startedMs = performance.now();
const result = await buildBinary(values.out === undefined ? {} : { outDir: values.out });
const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
if (result.isNew || !values.quiet) {
  const what = result.isNew ? 'built' : 'unchanged';
  console.log(
    `${what} in ${seconds} s: ${relative(process.cwd(), result.binary)}, ${relative(process.cwd(), result.archive)}`,
  );
}
