import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../../core/base/run-command.ts';
import { type FetchOptions, fetchKernelSource } from './fetch-kernel-source.ts';
import type { KernelPin } from './read-kernel-pin.ts';

/**
 * Half of the 1.7 GB tree that an x86 kernel without graphics drivers never reads; every Kconfig and Makefile stays. Whoever
 * switches on what lies here is told by make that it has no rule for the file.
 */
const leftOut = [
  'arch/[!x]*/*.[chS]',
  'arch/[!x]*/*.dts*',
  'Documentation/*/*',
  'drivers/gpu/drm/*/*.[ch]',
  'tools/testing/*/*',
  'tools/perf/*/*',
] as const;

/** Where the source tree of the pinned version lies, or will. */
export function kernelSourceFolder(cacheFolder: string, pin: Pick<KernelPin, 'version' | 'sha256'>): string {
  return join(cacheFolder, `source-${pin.version}-${pin.sha256.slice(0, 12)}`);
}

/** The source tree of the pinned version in the cache, unpacked when it is not there yet. */
export async function unpackKernelSource(options: FetchOptions): Promise<string> {
  const { pin, cacheFolder, print, signal } = options;
  const folder = kernelSourceFolder(cacheFolder, pin);
  if (existsSync(folder)) return folder;
  const tarball = await fetchKernelSource(options);
  print(`unpacking Linux ${pin.version}`);
  mkdirSync(cacheFolder, { recursive: true });
  const draft = mkdtempSync(join(cacheFolder, '.unpack-'));
  try {
    const excludes = leftOut.map((pattern) => `--exclude=linux-*/${pattern}`);
    const wildcards = ['--wildcards', '--anchored', '--wildcards-match-slash'];
    await runCommand('tar', ['-xJf', tarball, '-C', draft, '--no-same-owner', ...wildcards, ...excludes], { signal });
    renameSync(join(draft, `linux-${pin.version}`), folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return folder;
}
