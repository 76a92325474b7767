import { join } from 'node:path';
import { type CommandResult, runCommand } from '../../core/base/run-command.ts';
import type { Resources } from '../resources.ts';

/** buildah with a store of its own, removed with the test: `buildah('build', '--layers', …)`. */
export function openBuildah(resources: Resources): (command: string, ...args: string[]) => Promise<CommandResult> {
  const dir = resources.tempDir('durantic-buildah-');
  const store = ['--root', join(dir, 'root'), '--runroot', join(dir, 'run')];
  return async (command, ...args) => await runCommand('buildah', [...store, command, ...args]);
}
