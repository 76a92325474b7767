import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { formatDuration } from '../../../core/base/format-duration.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { cacheDir } from '../paths.ts';
import { checkKernelOptions } from './check-kernel-options.ts';
import { holdLock } from './hold-lock.ts';
import { pruneKernelCache } from './prune-kernel-cache.ts';
import { type KernelConfig, readKernelConfig } from './read-kernel-config.ts';
import { type KernelPin, readKernelPin } from './read-kernel-pin.ts';
import { removeIntermediates } from './remove-intermediates.ts';
import { runMake } from './run-make.ts';
import { builtStamp, seedObjectTree } from './seed-object-tree.ts';
import { kernelSourceFolder, unpackKernelSource } from './unpack-kernel-source.ts';

export interface BuildContext {
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
}

/** A compiled kernel whose built-in archive can be exchanged. */
export interface KernelTree {
  readonly version: string;
  /** Of version, configuration and tools. */
  readonly key: string;
  readonly sourceFolder: string;
  readonly objectFolder: string;
  /** The built-in archive, as CONFIG_INITRAMFS_SOURCE names it. */
  readonly initramfsFile: string;
}

export const kernelCacheDir = join(cacheDir, 'kernel');

/** Counted up when this code makes something else of the same configuration. */
const recipe = 1;

/** An archive that holds nothing but its end (newc, Documentation/driver-api/early-userspace/buffer-format.rst). */
const emptyArchive = Buffer.from(
  `070701${'0'.repeat(32)}00000001${'0'.repeat(48)}0000000b00000000TRAILER!!!\0\0\0\0`,
  'latin1',
);

/**
 * The kernel of kernel-config/, compiled when the cache does not hold it (about 12 minutes on two cores), and its lock:
 * as long as it is held, nobody else links or removes anything. Dispose it when done.
 */
export async function openKernelTree(context: BuildContext): Promise<{ tree: KernelTree; lock: AsyncDisposable }> {
  const lock = await lockCache(context);
  try {
    return { tree: await buildKernel(context), lock };
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
}

/** Configures and compares only, in seconds once the source is there: what changing a fragment leads to. */
export async function checkKernelConfig(context: BuildContext): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'durantic-kernel-config-'));
  try {
    // A build that goes on is no reason to wait, unless there is no source yet.
    await using _ = existsSync(kernelSourceFolder(kernelCacheDir, readKernelPin())) ? null : await lockCache(context);
    const { tree, config } = await prepare(context);
    await configure({ ...tree, ...treeIn(folder) }, config, context.signal);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function lockCache({ print }: BuildContext): Promise<AsyncDisposable> {
  return await holdLock(join(kernelCacheDir, 'lock'), () => print('waiting for another build of the kernel'));
}

async function buildKernel(context: BuildContext): Promise<KernelTree> {
  const { tree, config } = await prepare(context);
  const stamp = join(tree.objectFolder, builtStamp);
  if (!existsSync(stamp)) {
    const startedMs = performance.now();
    const isSeeded = !existsSync(tree.objectFolder) && (await seedObjectTree(tree.objectFolder, context.signal));
    await configure(tree, config, context.signal);
    const logFile = join(tree.objectFolder, 'build.log');
    const estimate = isSeeded ? 'what the changed options reach' : '12 minutes on two cores';
    context.print(`compiling Linux ${tree.version} (${estimate}); follow it in ${logFile}`);
    await runMake({ ...tree, targets: ['bzImage'], logFile, signal: context.signal });
    removeIntermediates(tree.objectFolder);
    const seconds = (performance.now() - startedMs) / 1000;
    writeFileSync(stamp, `${seconds.toFixed(0)}\n`);
    context.print(`compiled in ${formatDuration(seconds)}`);
  }
  const now = new Date();
  utimesSync(stamp, now, now);
  pruneKernelCache(kernelCacheDir, [tree.sourceFolder, tree.objectFolder]);
  return tree;
}

async function prepare(context: BuildContext): Promise<{ tree: KernelTree; config: KernelConfig }> {
  const pin = readKernelPin();
  const config = readKernelConfig();
  const key = kernelKey(pin, config.text, await toolVersions(context.signal));
  const given = process.env['KERNEL_TARBALL'];
  const sourceFolder = await unpackKernelSource({ ...context, pin, given, cacheFolder: kernelCacheDir });
  const folders = treeIn(join(kernelCacheDir, `build-${pin.version}-${key}`));
  return { tree: { version: pin.version, key, sourceFolder, ...folders }, config };
}

function treeIn(objectFolder: string): Pick<KernelTree, 'objectFolder' | 'initramfsFile'> {
  return { objectFolder, initramfsFile: join(objectFolder, 'initramfs.cpio.zst') };
}

/** What the object tree depends on: source and tools, then configuration, each short enough for a folder's name. */
export function kernelKey(pin: Pick<KernelPin, 'version' | 'sha256'>, configText: string, tools: string): string {
  const hash = (input: unknown): string =>
    createHash('sha256').update(JSON.stringify(input)).digest('hex').slice(0, 12);
  return `${hash({ recipe, version: pin.version, source: pin.sha256, tools })}-${hash(configText)}`;
}

async function toolVersions(signal: AbortSignal): Promise<string> {
  const tools = ['gcc', 'ld'].map((tool) => runCommand(tool, ['--version'], { signal }));
  return (await Promise.all(tools)).map(({ stdout }) => stdout.split('\n')[0]).join('\n');
}

/**
 * Makes `.config` of Kconfig's own defaults and the fragments, and compares.
 * @throws Error that names every option that does not hold and the files that want it.
 */
async function configure(tree: KernelTree, config: KernelConfig, signal: AbortSignal): Promise<void> {
  const { objectFolder, initramfsFile } = tree;
  mkdirSync(objectFolder, { recursive: true });
  if (!existsSync(initramfsFile)) writeFileSync(initramfsFile, zstdCompressSync(emptyArchive));
  const asked = join(objectFolder, 'durantic.config');
  writeFileSync(asked, config.text);
  const env = { KCONFIG_ALLCONFIG: asked };
  await runMake({ ...tree, targets: ['alldefconfig'], env, logFile: join(objectFolder, 'config.log'), signal });
  const result = readFileSync(join(objectFolder, '.config'), 'utf8');
  const problems = checkKernelOptions([...config.required, ...config.fragments], result);
  if (problems.length > 0) {
    throw new Error(
      `the kernel's configuration does not hold what kernel-config/ asks for:\n  ${problems.join('\n  ')}`,
    );
  }
}
