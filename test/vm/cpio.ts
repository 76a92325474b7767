import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

/** One entry of an initramfs; parents must come before their children. */
export type CpioEntry =
  | { readonly path: string; readonly kind: 'directory' }
  | { readonly path: string; readonly kind: 'symlink'; readonly target: string }
  | { readonly path: string; readonly kind: 'file'; readonly isExecutable?: boolean; readonly source: string | Buffer };

const modes = { directory: 0o040755, symlink: 0o120777, file: 0o100644 };

/**
 * Writes an initramfs archive, format "newc" (Documentation/driver-api/early-userspace/buffer-format of Linux): all
 * owned by root, dates 0, so that equal entries give equal bytes. A `source` that is a string is a file of the host.
 */
export function writeCpio(file: string, entries: readonly CpioEntry[]): void {
  const fd = openSync(file, 'w');
  try {
    for (const [index, entry] of entries.entries()) {
      const content = contentOf(entry);
      const mode = modes[entry.kind] | (entry.kind === 'file' && entry.isExecutable ? 0o111 : 0);
      writeAll(fd, header(entry.path, mode, content.length, index + 1));
      writeAll(fd, content);
      writeAll(fd, padding(content.length));
    }
    writeAll(fd, header('TRAILER!!!', 0, 0, 0));
  } finally {
    closeSync(fd);
  }
}

function contentOf(entry: CpioEntry): Buffer {
  if (entry.kind === 'directory') return Buffer.alloc(0);
  if (entry.kind === 'symlink') return Buffer.from(entry.target);
  return typeof entry.source === 'string' ? readFileSync(entry.source) : entry.source;
}

/** The fields are: inode, mode, uid, gid, links, mtime, size, device (2), rdev (2), name length, checksum. */
function header(path: string, mode: number, sizeBytes: number, inode: number): Buffer {
  const name = Buffer.from(`${path}\0`);
  const fields = [inode, mode, 0, 0, 1, 0, sizeBytes, 0, 0, 0, 0, name.length, 0];
  const digits = fields.map((field) => field.toString(16).padStart(8, '0')).join('');
  const head = Buffer.concat([Buffer.from(`070701${digits}`), name]);
  return Buffer.concat([head, padding(head.length)]);
}

function padding(lengthBytes: number): Buffer {
  return Buffer.alloc((4 - (lengthBytes % 4)) % 4);
}

function writeAll(fd: number, data: Buffer): void {
  let offset = 0;
  while (offset < data.length) offset += writeSync(fd, data, offset);
}
