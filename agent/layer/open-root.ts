import {
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  unlinkSync,
} from 'node:fs';
import { errnoOf } from '../../core/base/errors.ts';
import type { Native, NativeLayer } from '../native/native.ts';
import { DirectoryTable, joinPath, type OpenDirectory } from './directory-table.ts';
import { keptXattrs } from './plan-entry.ts';
import { removeTree } from './remove-tree.ts';
import type { TarTime } from './tar-numbers.ts';

const openFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const implicitMode = 0o755;

/** What stands at a name: `target` of a symlink as a byte string. */
export type Child =
  | { readonly is: 'directory'; readonly directory: OpenDirectory }
  | { readonly is: 'symlink'; readonly target: string }
  | { readonly is: 'other' }
  | { readonly is: 'missing' };

/**
 * The root as open descriptors. Every call here is synchronous and sees the disk as it is: only when no program runs
 * or waits. Names are single components, reached through their folder's descriptor, so that nothing can leave the root,
 * paths may be longer than PATH_MAX, and bytes are bytes.
 */
export class OpenRoot {
  readonly table = new DirectoryTable();
  readonly layer: NativeLayer;
  readonly top: OpenDirectory;
  readonly #native: Native;

  constructor(native: Native, root: string) {
    this.#native = native;
    this.layer = native.layerOpen(Buffer.from(keptXattrs.map((name) => `${name}\0`).join('')));
    const fd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
    this.top = this.#register(fd, '', null);
  }

  /** Looks at a name; a folder is opened and stays open. */
  look(parent: OpenDirectory, name: string): Child {
    const path = joinPath(parent.path, name);
    const known = this.table.getReal(path);
    if (known) return { is: 'directory', directory: known };
    const hostPath = this.#pathOf(parent.slot, name);
    try {
      const fd = openSync(hostPath, openFlags);
      return { is: 'directory', directory: this.#register(fd, path, parent) };
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'ENOENT' || errno === 'ENAMETOOLONG') return { is: 'missing' };
      if (errno !== 'ENOTDIR' && errno !== 'ELOOP') throw error;
    }
    const target = lstatSync(hostPath).isSymbolicLink() ? readlinkSync(hostPath, { encoding: 'latin1' }) : null;
    return target === null ? { is: 'other' } : { is: 'symlink', target };
  }

  /** A folder that the archive does not describe: 0755 root, or what a default ACL of its parent gives. */
  makeImplicit(parent: OpenDirectory, name: string): OpenDirectory {
    const hostPath = this.#pathOf(parent.slot, name);
    mkdirSync(hostPath, 0o777);
    parent.isTouched = true;
    const child = this.look(parent, name);
    if (child.is !== 'directory') throw new Error(`${joinPath(parent.path, name)} was replaced while it was made`);
    const hasAcl = this.#native.llistxattr(hostPath).includes('system.posix_acl_access');
    // Whatever this process's umask is; setgid comes from the parent and stays.
    const fd = this.#native.layerDirectory(this.layer, child.directory.slot);
    if (!hasAcl) fchmodSync(fd, implicitMode | (fstatSync(fd).mode & 0o2000));
    child.directory.times = null;
    return child.directory;
  }

  /** Names in a folder, byte strings. */
  names(directory: OpenDirectory): string[] {
    return readdirSync(this.#pathOf(directory.slot, '.'), { encoding: 'latin1' });
  }

  /** Whether a name is there, and whether it is a folder; nothing is opened. */
  kindOf(parent: OpenDirectory, name: string): 'directory' | 'other' | 'missing' {
    const stat = lstatSync(this.#pathOf(parent.slot, name), { throwIfNoEntry: false });
    if (stat === undefined) return 'missing';
    return stat.isDirectory() ? 'directory' : 'other';
  }

  /** Removes whatever stands at a slot's name, with all that is below. */
  async remove(slot: number, name: string, signal: AbortSignal): Promise<void> {
    await removeTree(this.#native.layerDirectory(this.layer, slot), name, signal);
  }

  unlink(parent: OpenDirectory, name: string): void {
    unlinkSync(this.#pathOf(parent.slot, name));
  }

  close(): void {
    this.#native.layerClose(this.layer);
  }

  #register(fd: number, path: string, parent: OpenDirectory | null): OpenDirectory {
    const { atimeNs, mtimeNs } = fstatSync(fd, { bigint: true });
    const directory = this.table.add(path, parent, { atime: toTarTime(atimeNs), mtime: toTarTime(mtimeNs) });
    this.#native.layerSetDirectory(this.layer, directory.slot, fd);
    return directory;
  }

  #pathOf(slot: number, name: string): Buffer {
    return Buffer.from(`/proc/self/fd/${this.#native.layerDirectory(this.layer, slot)}/${name}`, 'latin1');
  }
}

function toTarTime(nanoseconds: bigint): TarTime {
  const nsec = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { sec: Number((nanoseconds - nsec) / 1_000_000_000n), nsec: Number(nsec) };
}
