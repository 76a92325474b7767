import { rmdir } from 'node:fs/promises';
import { runCommand } from '../../core/base/run-command.ts';
import { makeWorkFolder } from '../../core/base/work-folder.ts';
import type { DiskContext } from './types.ts';

/** A filesystem mounted on a folder of its own, for as long as the object lives. */
export interface MountedFolder extends AsyncDisposable {
  readonly path: string;
}

/** An image's contents are no program, device or setuid file of this machine. */
const hardened = 'nosuid,nodev,noexec';

/** Mounts a device on a new folder; `options` as for `mount -o`, beside ours. @throws ProvisionError `tool_failed` */
export async function mountFolder(device: string, options: string, ctx: DiskContext): Promise<MountedFolder> {
  const path = makeWorkFolder('root');
  try {
    await runCommand('mount', ['-o', `${hardened},${options}`, '--', device, path], { signal: ctx.signal });
  } catch (error) {
    await rmdir(path);
    throw error;
  }
  const unmount = async (): Promise<void> => {
    await runCommand('umount', [path]);
    await rmdir(path);
  };
  return { path, [Symbol.asyncDispose]: unmount };
}
