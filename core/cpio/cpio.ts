import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

/** One entry of an initramfs; parents must come before their children. */
export type CpioEntry =
  | { readonly path: string; readonly kind: 'directory'; readonly mode?: number }
  | { readonly path: string; readonly kind: 'symlink'; readonly target: string }
  | { readonly path: string; readonly kind: 'character-device'; readonly major: number; readonly minor: number }
  | {
      readonly path: string;
      readonly kind: 'file';
      readonly isExecutable?: boolean;
      /** Permissions; default 0644, or 0755 for a program. */
      readonly mode?: number;
      /** A string is a file of this machine. */
      readonly source: string | Uint8Array;
    };

const modes = { directory: 0o040755, symlink: 0o120777, file: 0o100644, 'character-device': 0o020600 };

/**
 * An initramfs archive piece by piece, format "newc" (Documentation/driver-api/early-userspace/buffer-format of Linux):
 * all owned by root, dates 0, so that equal entries give equal bytes.
 */
export function* cpioChunks(entries: Iterable<CpioEntry>): Generator<Uint8Array> {
  let inode = 0;
  for (const entry of entries) {
    inode += 1;
    const content = contentOf(entry);
    yield header(entry, modeOf(entry), content.byteLength, inode);
    yield content;
    yield padding(content.byteLength);
  }
  yield header({ path: 'TRAILER!!!' }, 0, 0, 0);
}

/** Writes an archive of `cpioChunks` to a file, uncompressed. */
export function writeCpio(file: string, entries: Iterable<CpioEntry>): void {
  const fd = openSync(file, 'w');
  try {
    for (const chunk of cpioChunks(entries)) writeAll(fd, chunk);
  } finally {
    closeSync(fd);
  }
}

/** The entries with every folder above them, each once (the last one given counts), in the order of their paths. */
export function withParents(entries: Iterable<CpioEntry>): CpioEntry[] {
  const all = new Map<string, CpioEntry>();
  for (const entry of entries) {
    for (let end = entry.path.lastIndexOf('/'); end > 0; end = entry.path.lastIndexOf('/', end - 1)) {
      const path = entry.path.slice(0, end);
      if (!all.has(path)) all.set(path, { path, kind: 'directory' });
    }
    all.set(entry.path, entry);
  }
  return [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function modeOf(entry: CpioEntry): number {
  if (entry.kind === 'file' && entry.mode !== undefined) return 0o100000 | entry.mode;
  if (entry.kind === 'file' && entry.isExecutable === true) return modes.file | 0o111;
  if (entry.kind === 'directory' && entry.mode !== undefined) return 0o040000 | entry.mode;
  return modes[entry.kind];
}

function contentOf(entry: CpioEntry): Uint8Array {
  if (entry.kind === 'symlink') return Buffer.from(entry.target);
  if (entry.kind !== 'file') return Buffer.alloc(0);
  return typeof entry.source === 'string' ? readFileSync(entry.source) : entry.source;
}

/** The fields are: inode, mode, uid, gid, links, mtime, size, device (2), rdev (2), name length, checksum. */
function header(
  entry: { readonly path: string; readonly major?: number; readonly minor?: number },
  mode: number,
  sizeBytes: number,
  inode: number,
): Uint8Array {
  const name = Buffer.from(`${entry.path}\0`);
  const rdev = [entry.major ?? 0, entry.minor ?? 0];
  const fields = [inode, mode, 0, 0, 1, 0, sizeBytes, 0, 0, ...rdev, name.length, 0];
  const digits = fields.map((field) => field.toString(16).padStart(8, '0')).join('');
  const head = Buffer.concat([Buffer.from(`070701${digits}`), name]);
  return Buffer.concat([head, padding(head.length)]);
}

function padding(lengthBytes: number): Uint8Array {
  return Buffer.alloc((4 - (lengthBytes % 4)) % 4);
}

function writeAll(fd: number, data: Uint8Array): void {
  let offset = 0;
  while (offset < data.length) offset += writeSync(fd, data, offset);
}
