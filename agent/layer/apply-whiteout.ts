import type { DirectoryKeeper } from './directory-keeper.ts';
import { joinPath, type OpenDirectory } from './directory-table.ts';
import { entryError, type LayerContext } from './layer-error.ts';
import type { OpenRoot } from './open-root.ts';
import type { LayerEntry } from './plan-entry.ts';
import type { UpperPaths } from './upper-paths.ts';

export interface WhiteoutScope {
  /** The folder that holds the whiteout, open. */
  readonly directory: OpenDirectory;
  readonly root: OpenRoot;
  readonly upper: UpperPaths;
  readonly context: LayerContext;
  readonly keeper: DirectoryKeeper;
}

/**
 * Removes what a whiteout names, or all that an opaque folder holds, but nothing that this layer has made, wherever in
 * the archive the whiteout stands (image-spec layer.md, "Whiteouts"; umoci's ociWhiteout). A name that is not there is
 * ignored.
 */
export async function applyWhiteout(
  entry: LayerEntry & { readonly kind: 'whiteout' | 'opaque' },
  scope: WhiteoutScope,
): Promise<void> {
  const { directory } = scope;
  if (entry.kind === 'opaque') return await clearLower(directory, scope);
  if (entry.name === '' || entry.name === '.') return await clearSelf(directory, entry.archiveName, scope);
  if (entry.name === '..') return await clearSelf(directory.parent, entry.archiveName, scope);
  await removeLower(directory, entry.name, scope);
}

/** `.wh.` and `.wh...` name the folder that holds them, or its parent: umoci fails unless this layer made it. */
async function clearSelf(directory: OpenDirectory | null, archiveName: string, scope: WhiteoutScope): Promise<void> {
  const isKept = directory !== null && directory.path !== '' && scope.upper.has(scope.directory.path);
  if (!isKept) throw entryError(scope.context, archiveName, 'the whiteout names the directory that holds it');
  await clearLower(directory, scope);
}

async function removeLower(parent: OpenDirectory, name: string, scope: WhiteoutScope): Promise<void> {
  const { root, upper } = scope;
  const path = joinPath(parent.path, name);
  const kind = root.kindOf(parent, name);
  if (kind === 'missing') return;
  if (upper.has(path)) {
    if (kind !== 'directory') return;
    const child = root.look(parent, name);
    if (child.is !== 'directory') return;
    await scope.keeper.trim(child.directory);
    await clearLower(child.directory, scope);
    return;
  }
  await scope.keeper.clear(parent, name, path);
}

async function clearLower(directory: OpenDirectory, scope: WhiteoutScope): Promise<void> {
  for (const name of scope.root.names(directory)) await removeLower(directory, name, scope);
}
