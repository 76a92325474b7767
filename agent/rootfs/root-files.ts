import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  type Stats,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import { resolveInRoot } from '../../core/base/resolve-in-root.ts';

/** No text file that we read or edit is larger; a hostile image may hold one that is. */
const largestTextBytes = 16 * 1024 * 1024;

/**
 * The files of a target's root filesystem. Every path is resolved inside the root (invariant 6 of provisioning.md):
 * an image's `/etc -> /` or `/etc -> ../../etc` never leads outside. Devices, fifos and sockets are never opened.
 * Every method throws ProvisionError `root_full` (ENOSPC) or `device_io`, with the path in its facts.
 */
export class RootFiles {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** Host path; the last component is followed (inside the root) only when asked. */
  hostPath(path: string, options: { followLast?: boolean } = {}): string {
    return resolveInRoot(this.root, path, options);
  }

  /** lstat of the path itself, or null when nothing is there. */
  lstat(path: string): Stats | null {
    return this.#do('look at', path, () => lstatOrNull(this.hostPath(path)));
  }

  /** True when the path, symlinks followed inside the root, is a regular file. */
  isFile(path: string): boolean {
    return this.#followed(path)?.isFile() ?? false;
  }

  isDirectory(path: string): boolean {
    return this.#followed(path)?.isDirectory() ?? false;
  }

  /** Size of the regular file that the path leads to, or null. */
  sizeBytes(path: string): number | null {
    const stat = this.#followed(path);
    return stat?.isFile() ? stat.size : null;
  }

  /** Sorted names in a folder; none when it is not one. */
  list(path: string): string[] {
    if (!this.isDirectory(path)) return [];
    return this.#do('list', path, () => readdirSync(this.hostPath(path, { followLast: true })).sort());
  }

  /** Contents of a regular file as text, or null when there is none (or it is larger than 16 MiB). */
  readText(path: string): string | null {
    const sizeBytes = this.sizeBytes(path);
    if (sizeBytes === null || sizeBytes > largestTextBytes) return null;
    return this.#do('read', path, () => readFileSync(this.hostPath(path, { followLast: true }), 'utf8'));
  }

  /** Contents as bytes, decoded by nobody, so that an edit in latin1 gives back every byte that it did not mean. */
  readLatin1(path: string): string | null {
    const sizeBytes = this.sizeBytes(path);
    if (sizeBytes === null || sizeBytes > largestTextBytes) return null;
    return this.#do('read', path, () => readFileSync(this.hostPath(path, { followLast: true }), 'latin1'));
  }

  /**
   * New contents for an existing regular file. Written into the same inode, so that owner, mode, SELinux label, ACL and
   * hard links stay as the image has them. That this is not atomic is no danger: until the commit record is written
   * the disk does not boot, and an installation that fails here never writes it.
   */
  overwrite(path: string, data: string | Uint8Array): void {
    this.#do('change', path, () => {
      const fd = openSync(this.hostPath(path, { followLast: true }), constants.O_WRONLY | constants.O_NOFOLLOW);
      try {
        const bytes = toBytes(data);
        writeAll(fd, bytes);
        ftruncateSync(fd, bytes.byteLength);
      } finally {
        closeSync(fd);
      }
    });
  }

  /** A new file owned by root, in place of whatever carries the name (a symlink is replaced, not followed). */
  write(path: string, data: string | Uint8Array, mode: number): void {
    this.makeDir(dirname(path), 0o755);
    this.remove(path);
    this.#do('write', path, () => {
      const host = this.hostPath(path);
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
      const fd = openSync(host, flags, 0o600);
      try {
        writeAll(fd, toBytes(data));
      } finally {
        closeSync(fd);
      }
      this.#own(host, mode);
    });
  }

  /** A folder owned by root; one that exists keeps owner and mode. Missing parents are made with 0755. */
  makeDir(path: string, mode: number): void {
    this.#do('make the folder', path, () => {
      const host = this.hostPath(path, { followLast: true });
      if (existsSync(host)) return;
      const missing: string[] = [];
      for (let dir = host; !existsSync(dir); dir = dirname(dir)) missing.unshift(dir);
      for (const dir of missing) {
        mkdirSync(dir);
        this.#own(dir, dir === host ? mode : 0o755);
      }
    });
  }

  chmod(path: string, mode: number): void {
    this.#do('set the mode of', path, () => this.#own(this.hostPath(path, { followLast: true }), mode));
  }

  /** A symlink in place of whatever carries the name. The target is text, it is not resolved. */
  symlink(target: string, path: string): void {
    this.makeDir(dirname(path), 0o755);
    this.remove(path);
    this.#do('make the link', path, () => symlinkSync(target, this.hostPath(path)));
  }

  /** Removes a file, link or tree (never what a link points to); false when there was none. */
  remove(path: string): boolean {
    return this.#do('remove', path, () => {
      const host = this.hostPath(path);
      if (host === this.root || lstatOrNull(host) === null) return false;
      rmSync(host, { recursive: true, force: true });
      return true;
    });
  }

  #followed(path: string): Stats | null {
    return this.#do('look at', path, () => lstatOrNull(this.hostPath(path, { followLast: true })));
  }

  #own(host: string, mode: number): void {
    if (process.geteuid?.() === 0) chownSync(host, 0, 0);
    chmodSync(host, mode);
  }

  #do<T>(verb: string, path: string, action: () => T): T {
    try {
      return action();
    } catch (cause) {
      if (cause instanceof ProvisionError) throw cause;
      throw rootError(`could not ${verb} ${path} in the root filesystem`, path, cause);
    }
  }
}

/** A system error on the root filesystem as a typed one: `root_full` when it has no space, else `device_io`. */
export function rootError(message: string, path: string, cause: unknown): ProvisionError {
  const errno = errnoOf(cause) ?? 'unknown';
  const isFull = errno === 'ENOSPC' || errno === 'EDQUOT';
  return new ProvisionError(isFull ? 'root_full' : 'device_io', message, { cause, facts: { path, errno } });
}

function lstatOrNull(host: string): Stats | null {
  try {
    return lstatSync(host);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return null;
    throw error;
  }
}

function toBytes(data: string | Uint8Array): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.byteLength; ) {
    written += writeSync(fd, bytes, written, bytes.byteLength - written, written);
  }
}
