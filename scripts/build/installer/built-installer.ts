import { join } from 'node:path';
import { runCommand } from '../../../core/base/run-command.ts';
import { distDir, repoDir } from '../paths.ts';

/** `dist/vmlinuz` and `dist/installer.iso`, built when they are older than what they are made of; for tests. */
export async function builtInstaller(): Promise<{ readonly vmlinuz: string; readonly iso: string }> {
  // Through the script, which holds the lock against builds of other processes.
  await runCommand(join(repoDir, 'scripts', 'build-installer'), ['--quiet']);
  return { vmlinuz: join(distDir, 'vmlinuz'), iso: join(distDir, 'installer.iso') };
}
