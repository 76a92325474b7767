import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Writes a file of mode 0600 so that after kill -9 or a power cut there is the old one or the new one, never a part:
 * beside it, flushed, renamed over it, the folder flushed (rename(2), fsync(2)).
 */
export function writePrivateFile(file: string, contents: string | Uint8Array): void {
  const temporary = `${file}.tmp`;
  // What an earlier run left there may have another mode, which opening would keep.
  rmSync(temporary, { force: true });
  const bytes = typeof contents === 'string' ? Buffer.from(contents) : contents;
  const fd = openSync(temporary, 'wx', 0o600);
  try {
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(fd, bytes, offset);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, file);
  const folder = openSync(dirname(file), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
