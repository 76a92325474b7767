import { copyFileSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { runCommand } from '../../../core/base/run-command.ts';
import type { Resources } from '../../resources.ts';

const glibcParts = ['libc.so.6', 'libm.so.6', 'libdl.so.2', 'libpthread.so.0'];
const libraryDir = '/usr/lib/x86_64-linux-gnu';

/** A root filesystem with glibc, an empty /proc and nothing else: no libstdc++, no libgcc_s, no libatomic, no /tmp. */
export function minimalRoot(resources: Resources): string {
  const root = resources.tempDir('durantic-root-');
  for (const dir of ['lib64', 'lib/x86_64-linux-gnu', 'proc', 'dev', 'opt'])
    mkdirSync(join(root, dir), { recursive: true });
  const loader = '/lib64/ld-linux-x86-64.so.2';
  copyFileSync(loader, join(root, loader));
  for (const name of glibcParts) {
    copyFileSync(join(libraryDir, name), join(root, 'lib/x86_64-linux-gnu', name));
  }
  return root;
}

/** Copies a bundle to /opt, with the fallback libraries beside the binary or without them. */
export function placeBundle(root: string, bundleDir: string, options: { fallback: boolean }): void {
  const files = ['durantic', 'libatomic.so.1'];
  if (options.fallback) files.push('fallback/libstdc++.so.6', 'fallback/libgcc_s.so.1');
  for (const file of files) copyFileSync(join(bundleDir, file), join(root, 'opt', basename(file)));
}

/** Mounts /proc in the root filesystem; `$ORIGIN` of the binary's run path needs it. */
export async function mountProc(resources: Resources, root: string): Promise<void> {
  const point = join(root, 'proc');
  await runCommand('mount', ['-t', 'proc', 'proc', point]);
  resources.defer(`umount ${point}`, async () => {
    await runCommand('umount', [point]);
  });
}

/** Runs /opt/durantic inside the root filesystem. */
export async function runInRoot(
  root: string,
  args: readonly string[],
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  return await runCommand('chroot', [root, '/opt/durantic', ...args], { okExitCodes: [0, 1, 2, 126, 127] });
}
