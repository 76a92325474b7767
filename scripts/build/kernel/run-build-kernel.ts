import { parseArgs } from 'node:util';
import { describeError } from '../../../core/base/describe-error.ts';
import { ProvisionError } from '../../../core/base/errors.ts';
import { checkKernelConfig, openKernelTree } from './build-kernel.ts';
import { linkKernel } from './link-kernel.ts';

const controller = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => controller.abort(new Error('the build was interrupted; the next one goes on from there')));
}

const context = { print: (line: string) => console.error(line), signal: controller.signal };
try {
  const { values } = parseArgs({
    options: {
      'check-config': { type: 'boolean', default: false },
      initramfs: { type: 'string' },
      out: { type: 'string' },
    },
  });
  const { initramfs, out } = values;
  if ((initramfs === undefined) !== (out === undefined)) throw new Error('--initramfs and --out go together');
  if (values['check-config']) {
    await checkKernelConfig(context);
    console.log("the kernel's configuration holds every option of kernel-config/");
  } else if (initramfs !== undefined && out !== undefined) {
    const linked = await linkKernel({ ...context, initramfs, out });
    const how = linked.isNew ? `linked in ${linked.linkSeconds.toFixed(1)} s` : 'unchanged';
    console.log(`${how}: ${linked.file}, ${(linked.sizeBytes / 1e6).toFixed(1)} MB`);
  } else {
    const { tree, lock } = await openKernelTree(context);
    await lock[Symbol.asyncDispose]();
    console.log(`Linux ${tree.version} is in ${tree.objectFolder}`);
  }
} catch (error) {
  const reason: unknown = controller.signal.aborted ? controller.signal.reason : error;
  // Our own errors list options and log lines, one to a line.
  const isList = reason instanceof Error && !(reason instanceof ProvisionError);
  console.error(`build-kernel: ${isList ? reason.message : describeError(reason)}`);
  process.exitCode = 1;
}
