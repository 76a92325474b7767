import { mkdirSync, rmdirSync } from 'node:fs';
import type { Logger } from '../../../core/base/logger.ts';
import { resolveInRoot } from '../../../core/base/resolve-in-root.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { makeWorkFolder } from '../../../core/base/work-folder.ts';

export interface MountRootOptions {
  /** Partition node of the root filesystem. */
  readonly rootDevice: string;
  readonly rootType: string;
  /** A separate `/boot`; null when it is a folder of the root. */
  readonly boot: { readonly device: string; readonly type: string } | null;
  /** Without replaying a journal; default false. */
  readonly readOnly?: boolean;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** The new root, mounted for this program only as far as others care: nosuid and nodev keep a hostile image from them. */
export interface MountedRoot extends AsyncDisposable {
  readonly path: string;
  /** Unmounts everything; does nothing the second time. */
  unmount(): Promise<void>;
}

/**
 * Mounts the root filesystem (and `/boot`) in a private folder.
 * @throws ProvisionError `tool_failed` with what mount(8) said.
 */
export async function mountRoot(options: MountRootOptions): Promise<MountedRoot> {
  const path = makeWorkFolder('root');
  const mountOptions = `nosuid,nodev,noexec${options.readOnly === true ? ',ro' : ''}`;
  const mounted: string[] = [];
  const unmount = async (): Promise<void> => {
    for (let dir = mounted.at(-1); dir !== undefined; dir = mounted.at(-1)) {
      await runCommand('umount', [dir]);
      mounted.pop();
    }
    try {
      rmdirSync(path);
    } catch (error) {
      options.log.debug({ err: error, path }, 'the mount point stays');
    }
  };
  const mount = async (device: string, type: string, dir: string): Promise<void> => {
    await runCommand('mount', ['-t', type, '-o', mountOptions, device, dir], { signal: options.signal });
    mounted.push(dir);
  };
  try {
    await mount(options.rootDevice, options.rootType, path);
    if (options.boot !== null) {
      const dir = resolveInRoot(path, 'boot', { followLast: true });
      if (options.readOnly !== true) mkdirSync(dir, { recursive: true, mode: 0o755 });
      await mount(options.boot.device, options.boot.type, dir);
    }
  } catch (error) {
    await unmount().catch((cleanUp: unknown) =>
      options.log.warn({ err: cleanUp }, 'clean-up after the failure failed too'),
    );
    throw error;
  }
  return { path, unmount, [Symbol.asyncDispose]: unmount };
}
