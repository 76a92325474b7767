import { lstatSync, readlinkSync } from 'node:fs';
import { posix } from 'node:path';
import { errnoOf, ProvisionError } from './errors.ts';

/** As filepath-securejoin, which umoci uses: more is a loop. */
const mostSymlinks = 255;

export interface ResolveInRootOptions {
  /** Whether a symlink in the last component is followed too; default false. */
  readonly followLast?: boolean;
}

/**
 * The host path of `path` inside `root`, as a process chrooted there would see it: symlinks in parent components are
 * followed within the root, absolute targets and `..` stop at the root. `path` may be absolute or relative, which is
 * the same. `..` in `path` itself is cleaned lexically first, and what does not exist is taken as a plain folder to be
 * made, as umoci does (`filepath-securejoin`). The result is `root` or below it; nothing needs to exist there.
 * Only for a tree that nobody else changes meanwhile.
 * @throws ProvisionError `layer_entry_invalid` for a symlink loop; `device_io` when the tree cannot be read.
 */
export function resolveInRoot(root: string, path: string, options: ResolveInRootOptions = {}): string {
  const cleaned = posix.join('/', path);
  if (cleaned === '/') return root;
  let pending = cleaned.slice(1).split('/').filter(Boolean);
  let resolved = '/';
  let symlinks = 0;
  while (pending.length > 0) {
    const [name = '', ...rest] = pending;
    const next = posix.join(resolved, name);
    const target = rest.length === 0 && options.followLast !== true ? null : readLink(root, next);
    if (target === null) {
      resolved = next;
      pending = rest;
      continue;
    }
    symlinks += 1;
    if (symlinks > mostSymlinks) throw loopError(path);
    pending = [...target.split('/').filter(Boolean), ...rest];
    if (target.startsWith('/')) resolved = '/';
  }
  return posix.join(root, resolved);
}

function readLink(root: string, path: string): string | null {
  const hostPath = posix.join(root, path);
  try {
    return lstatSync(hostPath).isSymbolicLink() ? readlinkSync(hostPath) : null;
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return null;
    throw new ProvisionError('device_io', `cannot read ${path} in the root filesystem`, { cause, facts: { path } });
  }
}

function loopError(path: string): ProvisionError {
  return new ProvisionError('layer_entry_invalid', `${path} goes through more than ${mostSymlinks} symlinks`, {
    facts: { path },
  });
}
