import { joinPath, type OpenDirectory } from './directory-table.ts';
import type { OpenRoot } from './open-root.ts';

/** As umoci's filepath-securejoin. */
const mostSymlinks = 255;

/** Where a spelled path leads: a folder that is there, or a path that is not (yet) one. */
export type Found =
  | { readonly directory: OpenDirectory; readonly missing: readonly string[]; readonly blockedBy: null }
  /** Something that is no folder stands at this real path. */
  | { readonly directory: OpenDirectory; readonly missing: readonly string[]; readonly blockedBy: string };

/** Too many symlinks on the way. */
export class SymlinkLoop extends Error {}

/**
 * Resolves a cleaned path inside the root, symlinks followed in every component, as `resolveInRoot` does: absolute
 * targets and `..` stop at the root, what does not exist counts as a folder that may be made. `directory` is the last
 * folder that is there, `missing` the components below it. `afterOpen` is awaited after each folder that was opened,
 * so that the caller can close others.
 * @throws SymlinkLoop
 */
export async function findDirectory(
  root: OpenRoot,
  spelled: string,
  afterOpen: (opened: OpenDirectory) => Promise<void>,
): Promise<Found> {
  let pending = spelled.split('/').filter(Boolean).reverse();
  let directory = root.top;
  let missing: string[] = [];
  let blockedBy: string | null = null;
  let wasMissing = false;
  const links: string[] = [];
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    if (part === '.') continue;
    if (part === '..') {
      if (missing.length > 0) missing.pop();
      else directory = directory.parent ?? root.top;
      if (missing.length === 0) blockedBy = null;
      continue;
    }
    if (missing.length > 0) {
      missing.push(part);
      continue;
    }
    const child = root.look(directory, part);
    if (child.is === 'directory') {
      directory = child.directory;
      await afterOpen(directory);
    } else if (child.is === 'symlink') {
      links.push(joinPath(directory.path, part));
      if (links.length > mostSymlinks) throw new SymlinkLoop(`more than ${mostSymlinks} symlinks`);
      if (child.target.startsWith('/')) directory = root.top;
      pending = [...pending, ...child.target.split('/').filter(Boolean).reverse()];
    } else {
      if (child.is === 'other') blockedBy = joinPath(directory.path, part);
      missing = [part];
      wasMissing = true;
    }
  }
  // What was missing on the way may come to be a symlink: then the path leads elsewhere.
  if (!wasMissing && links.length > 0) root.table.addAlias(spelled, directory.path, links);
  return { directory, missing, blockedBy };
}
