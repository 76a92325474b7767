import { statSync } from 'node:fs';
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { describeError } from '../../../core/base/describe-error.ts';
import { ProvisionError } from '../../../core/base/errors.ts';
import { buildInstaller } from './build-installer.ts';

const controller = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => controller.abort(new ProvisionError('aborted', 'the build was interrupted')));
}

const startedMs = performance.now();
try {
  const { values, positionals } = parseArgs({
    // `--sign KEY CERT`: parseArgs knows options of one value, so that the second is what stands alone.
    allowPositionals: true,
    options: {
      sign: { type: 'string' },
      refresh: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
      quiet: { type: 'boolean', default: false },
    },
  });
  const { sign: keyFile } = values;
  const [certificateFile, ...rest] = positionals;
  if (rest.length > 0 || (keyFile === undefined) !== (certificateFile === undefined)) {
    throw new Error('usage: scripts/build-installer [--refresh [--record]] [--sign KEY CERT] [--quiet]');
  }
  const print = (line: string): void => {
    if (!values.quiet) console.error(line);
  };
  const result = await buildInstaller({
    print,
    signal: controller.signal,
    refresh: values.refresh,
    record: values.record,
    ...(keyFile === undefined || certificateFile === undefined ? {} : { sign: { keyFile, certificateFile } }),
  });
  const files = [result.vmlinuz, result.iso].map(
    (file) => `${relative(process.cwd(), file)} (${(statSync(file).size / 1e6).toFixed(1)} MB)`,
  );
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  if (result.isNew || !values.quiet) {
    console.log(`${result.isNew ? 'built' : 'unchanged'} in ${seconds} s: ${files.join(', ')}`);
  }
} catch (error) {
  // esbuild has printed the places already; make's and Kconfig's errors are lists, one to a line.
  const isBundling = error instanceof Error && 'errors' in error;
  const isList = error instanceof Error && !(error instanceof ProvisionError) && !isBundling;
  const text = isBundling ? 'the program cannot be bundled, see above' : isList ? error.message : describeError(error);
  console.error(`build-installer: ${text}`);
  if (error instanceof ProvisionError && typeof error.facts['stderr'] === 'string') {
    console.error(error.facts['stderr']);
  }
  process.exitCode = 1;
}
