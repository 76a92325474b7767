import { closeSync, mkdirSync, openSync, rmdirSync } from 'node:fs';
import { ProvisionError } from '../../../core/base/errors.ts';
import type { Logger } from '../../../core/base/logger.ts';
import { resolveInRoot } from '../../../core/base/resolve-in-root.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { makeWorkFolder } from '../../../core/base/work-folder.ts';
import { flushFilesystem } from './flush-filesystem.ts';

export interface MountRootOptions {
  /** Partition node of the root filesystem. */
  readonly rootDevice: string;
  readonly rootType: string;
  /** A separate `/boot`; null when it is a folder of the root. */
  readonly boot: { readonly device: string; readonly type: string } | null;
  /** Nothing is written but what replaying a journal writes; default false. */
  readonly readOnly?: boolean;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** The new root, mounted for this program only as far as others care: nosuid and nodev keep a hostile image from them. */
export interface MountedRoot extends AsyncDisposable {
  readonly path: string;
  /**
   * Returns when everything written to each of the mounted filesystems is on the medium.
   * @throws ProvisionError `device_full`, `device_io` naming the partition, whenever since the mount the error came.
   */
  flush(): Promise<void>;
  /** Unmounts everything; does nothing the second time. */
  unmount(): Promise<void>;
}

interface Mounted {
  readonly device: string;
  readonly dir: string;
  /** Open since the mount: syncfs(2) tells a descriptor of the write errors that came after it was opened. */
  fd: number | null;
}

/**
 * Mounts the root filesystem (and `/boot`) in a private folder.
 * @throws ProvisionError `tool_failed` with what mount(8) said.
 */
export async function mountRoot(options: MountRootOptions): Promise<MountedRoot> {
  const path = makeWorkFolder('root');
  const mountOptions = `nosuid,nodev,noexec${options.readOnly === true ? ',ro' : ''}`;
  const mounted: Mounted[] = [];
  const flush = async (): Promise<void> => {
    if (mounted.length === 0) throw new ProvisionError('invariant', `${options.rootDevice} is not mounted any more`);
    for (const { device, fd } of mounted) {
      if (fd === null) throw new ProvisionError('invariant', `${device} is being unmounted`);
      await flushFilesystem(fd, device);
    }
  };
  const unmount = async (): Promise<void> => {
    for (let last = mounted.at(-1); last !== undefined; last = mounted.at(-1)) {
      if (last.fd !== null) closeSync(last.fd);
      last.fd = null;
      await runCommand('umount', [last.dir]);
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
    const entry: Mounted = { device, dir, fd: null };
    mounted.push(entry);
    entry.fd = openSync(dir, 'r');
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
  return { path, flush, unmount, [Symbol.asyncDispose]: unmount };
}
