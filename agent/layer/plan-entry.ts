import type { TarXattr } from './pax-records.ts';
import type { TarEntry } from './tar-entry.ts';
import { TarFormatError, type TarTime } from './tar-numbers.ts';

/** Owner, mode, extended attributes and times, to be applied in this order. */
export interface EntryMetadata {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly xattrs: readonly TarXattr[];
  readonly atime: TarTime;
  readonly mtime: TarTime;
}

/**
 * What one archive member asks for. `parent` and `name` are cleaned byte strings: no `.`, `..`, empty or leading
 * component, '' for the root itself. Symlinks in `parent` are not resolved yet. `archiveName` is the member's name as it
 * stands in the archive, for messages.
 */
export type LayerEntry = { readonly archiveName: string } & (
  | { readonly kind: 'root'; readonly metadata: EntryMetadata }
  | { readonly kind: 'whiteout'; readonly parent: string; readonly name: string }
  | { readonly kind: 'opaque'; readonly parent: string }
  | { readonly kind: 'directory'; readonly parent: string; readonly name: string; readonly metadata: EntryMetadata }
  | FileEntry
  | (Child & { readonly kind: 'symlink'; readonly target: string })
  | (Child & { readonly kind: 'node'; readonly type: NodeType; readonly major: number; readonly minor: number })
  | LinkEntry
);

interface Child {
  readonly parent: string;
  readonly name: string;
  readonly metadata: EntryMetadata;
}

export type FileEntry = Child & { readonly kind: 'file'; readonly sizeBytes: number; readonly archiveName: string };

export type NodeType = 'fifo' | 'character-device' | 'block-device';

export interface LinkEntry {
  readonly kind: 'link';
  readonly archiveName: string;
  readonly parent: string;
  readonly name: string;
  readonly targetParent: string;
  /** '' when the target is the root itself, which no link can have. */
  readonly targetName: string;
  /** As the archive has it. */
  readonly targetArchiveName: string;
}

/**
 * Extended attributes that stay where a folder has them, as in umoci, when a layer describes it anew: SELinux labels and
 * NFS ACLs belong to the host that the layer was made on, overlayfs' own to the overlay that it was made of.
 */
export const keptXattrs: readonly string[] = [
  'security.selinux',
  'system.nfs4_acl',
  'trusted.overlay.opaque',
  'trusted.overlay.redirect',
  'trusted.overlay.origin',
  'trusted.overlay.impure',
  'trusted.overlay.nlink',
  'trusted.overlay.upper',
  'trusted.overlay.metacopy',
];

/**
 * Those of them that a layer cannot set. SELinux labels it can, other than in umoci: umoci unpacks for a container, whose
 * host labels it, and this tree boots by itself (failure row F46; docs/adr/0008-selinux-labels-of-layers.md).
 */
export const unsetXattrs: readonly string[] = keptXattrs.filter((name) => name !== 'security.selinux');

const whiteoutPrefix = '.wh.';
/** An empty, `.` or `..` component. */
const unclean = /(?:^|\/)\.{0,2}(?:\/|$)/;
const opaqueName = '.wh..wh..opq';
/** Twice PATH_MAX: no system can use a longer one, and each component costs a descriptor while it is walked. */
const longestNameBytes = 8192;

/**
 * The plan of one archive member (image-spec, layer.md). A whiteout's type flag does not matter.
 * @throws TarFormatError for a member that cannot be extracted.
 */
export function planEntry(entry: TarEntry): LayerEntry {
  if (entry.name.length > longestNameBytes) throw new TarFormatError(`the name has ${entry.name.length} bytes`);
  const archiveName = entry.name;
  const path = cleanPath(entry.name);
  if (path === '') {
    if (entry.kind !== 'directory') throw new TarFormatError('it would replace the root directory itself');
    return { kind: 'root', archiveName, metadata: metadataOf(entry) };
  }
  const { parent, name } = splitPath(path);
  if (name === opaqueName) return { kind: 'opaque', archiveName, parent };
  if (name.startsWith(whiteoutPrefix)) {
    return { kind: 'whiteout', archiveName, parent, name: name.slice(whiteoutPrefix.length) };
  }
  return planChild(entry, { parent, name, archiveName });
}

function planChild(entry: TarEntry, place: { parent: string; name: string; archiveName: string }): LayerEntry {
  const child = { ...place, metadata: metadataOf(entry) };
  switch (entry.kind) {
    case 'file':
      return { ...child, kind: 'file', sizeBytes: entry.sizeBytes };
    case 'directory':
      return { ...child, kind: 'directory' };
    case 'symlink':
      return { ...child, kind: 'symlink', target: entry.linkName };
    case 'fifo':
    case 'character-device':
    case 'block-device':
      return { ...child, kind: 'node', type: entry.kind, major: entry.major, minor: entry.minor };
    case 'hardlink': {
      const target = splitPath(cleanPath(entry.linkName));
      const targetArchiveName = entry.linkName;
      return { ...place, kind: 'link', targetParent: target.parent, targetName: target.name, targetArchiveName };
    }
    case 'unknown':
      throw new TarFormatError(`its type flag ${JSON.stringify(entry.typeflag)} is unknown`);
  }
}

/** A name as a path below the root: `..` is taken lexically and stops at the root, as umoci's CleanPath does. */
export function cleanPath(name: string): string {
  const start = name.startsWith('./') ? 2 : 0;
  const simple = name.slice(start, name.endsWith('/') ? -1 : undefined);
  if (simple !== '' && !unclean.test(simple)) return simple;
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/** The path's last component and what stands before it. */
export function splitPath(path: string): { parent: string; name: string } {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? { parent: '', name: path } : { parent: path.slice(0, slash), name: path.slice(slash + 1) };
}

function metadataOf(entry: TarEntry): EntryMetadata {
  const { mode, uid, gid, atime, mtime } = entry;
  const xattrs = entry.xattrs.filter(({ name }) => !unsetXattrs.includes(name));
  return { mode, uid, gid, xattrs, atime, mtime };
}
