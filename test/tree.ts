import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { native } from '../agent/native/load-native.ts';

export type TreeKind = 'file' | 'directory' | 'symlink' | 'fifo' | 'character-device' | 'block-device' | 'socket';

export interface TreeEntry {
  readonly kind: TreeKind;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of files, else 0. */
  readonly size: number;
  /** Of files, else null. */
  readonly sha256: string | null;
  /** Of symlinks, latin1. */
  readonly target: string | null;
  /** Of devices, `major:minor`. */
  readonly device: string | null;
  readonly mtimeNs: bigint;
  /** Name → hex. */
  readonly xattrs: Readonly<Record<string, string>>;
  /** First path (sorted) of the inode's names, when it has more than one in this tree; null otherwise. */
  readonly linkGroup: string | null;
}

/** Path (latin1 byte string, no leading slash, '.' for the root itself) → entry, sorted by path. */
export type Tree = ReadonlyMap<string, TreeEntry>;

export interface ReadTreeOptions {
  /** Paths that are left out with everything below them. */
  readonly ignore?: readonly string[];
}

/** Everything below a root that two installations may differ in. Reads each file; mounts below are entered. */
export function readTree(root: string, options: ReadTreeOptions = {}): Tree {
  const ignore = new Set(options.ignore ?? []);
  const entries = new Map<string, TreeEntry>();
  const inodes = new Map<string, string[]>();
  const visit = (path: string): void => {
    if (ignore.has(path)) return;
    const hostPath = toHostPath(root, path);
    const stat = lstatSync(hostPath, { bigint: true });
    entries.set(path, readEntry(hostPath, stat));
    if (!stat.isDirectory()) {
      const inode = `${stat.dev}:${stat.ino}`;
      inodes.set(inode, [...(inodes.get(inode) ?? []), path]);
      return;
    }
    for (const name of readdirSync(hostPath, { encoding: 'latin1' }).sort()) {
      visit(path === '.' ? name : `${path}/${name}`);
    }
  };
  visit('.');
  for (const paths of inodes.values()) {
    const [first = null] = paths.sort();
    if (paths.length > 1) for (const path of paths) setGroup(entries, path, first);
  }
  return new Map([...entries].sort(([left], [right]) => (left < right ? -1 : 1)));
}

export interface DiffOptions {
  /** Fields that are not compared for an entry, e.g. mtimes that nobody has set. */
  readonly skip?: (path: string, field: keyof TreeEntry, left: TreeEntry, right: TreeEntry) => boolean;
}

/** One line for each difference, empty when the trees are equal. */
export function diffTrees(left: Tree, right: Tree, options: DiffOptions = {}): string[] {
  const differences: string[] = [];
  for (const path of [...new Set([...left.keys(), ...right.keys()])].sort()) {
    const a = left.get(path);
    const b = right.get(path);
    if (a === undefined || b === undefined) {
      differences.push(`${path}: only in the ${a === undefined ? 'second' : 'first'} tree`);
      continue;
    }
    for (const field of fields) {
      if (show(a[field]) === show(b[field]) || options.skip?.(path, field, a, b)) continue;
      differences.push(`${path}: ${field} ${show(a[field])} ≠ ${show(b[field])}`);
    }
  }
  return differences;
}

const fields = [
  'kind',
  'mode',
  'uid',
  'gid',
  'size',
  'sha256',
  'target',
  'device',
  'mtimeNs',
  'xattrs',
  'linkGroup',
] as const satisfies readonly (keyof TreeEntry)[];

type BigStat = ReturnType<typeof lstatBig>;
const lstatBig = (path: Buffer) => lstatSync(path, { bigint: true });

function readEntry(hostPath: Buffer, stat: BigStat): TreeEntry {
  const kind = kindOf(stat);
  const isDevice = kind === 'character-device' || kind === 'block-device';
  return {
    kind,
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: kind === 'file' ? Number(stat.size) : 0,
    sha256: kind === 'file' ? hashFile(hostPath) : null,
    target: kind === 'symlink' ? readlinkSync(hostPath, { encoding: 'latin1' }) : null,
    device: isDevice ? deviceOf(stat.rdev) : null,
    mtimeNs: stat.mtimeNs,
    xattrs: readXattrs(hostPath),
    linkGroup: null,
  };
}

function kindOf(stat: BigStat): TreeKind {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isCharacterDevice()) return 'character-device';
  return stat.isBlockDevice() ? 'block-device' : 'socket';
}

function hashFile(path: Buffer): string {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  const fd = openSync(path, 'r');
  try {
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) hash.update(buffer.subarray(0, read));
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}

/** glibc's gnu_dev_major and gnu_dev_minor. */
function deviceOf(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn & 0xffffffffn);
  return `${major}:${minor}`;
}

function readXattrs(path: Buffer): Record<string, string> {
  const names = native.llistxattr(path).sort();
  return Object.fromEntries(
    names.map((name) => [name, native.lgetxattr(path, Buffer.from(name, 'latin1')).toString('hex')]),
  );
}

function setGroup(entries: Map<string, TreeEntry>, path: string, linkGroup: string | null): void {
  const entry = entries.get(path);
  if (entry) entries.set(path, { ...entry, linkGroup });
}

function toHostPath(root: string, path: string): Buffer {
  return path === '.' ? Buffer.from(root) : Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')]);
}

function show(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
