import { createHash } from 'node:crypto';
import { closeSync, type Dirent, fstatSync, opendirSync, openSync, readSync } from 'node:fs';
import { throwIfAborted } from '../../core/base/abort.ts';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';

/** One regular file of a tree. */
export interface ListedFile {
  /** Relative to the root, bytes of the name as latin1. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /**
   * Bytes that only the device can have given: those of blocks that are not all zero, which unwritten extents
   * (fallocate(2)) and holes read as; at most what the file takes. 0 for a file with more names, which a cache may answer.
   */
  readonly ownDeviceBytes: number;
}

const chunkBytes = 1024 * 1024;
const zeroBlock = Buffer.alloc(4096);
/** After so many bytes others get a turn. */
const turnBytes = 64 * 1024 * 1024;

/**
 * All regular files below `root` in a fixed order (depth first, names by their bytes) with the SHA-256 of their
 * contents. Symlinks are not followed.
 * @throws ProvisionError `device_io` when something cannot be read.
 */
export async function* listTree(root: string, signal: AbortSignal): AsyncGenerator<ListedFile> {
  let sinceTurnBytes = 0;
  for (const file of walk(Buffer.from(root), '')) {
    throwIfAborted(signal);
    const listed = hashFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from(file, 'latin1')]), file);
    sinceTurnBytes += listed.sizeBytes + 4096;
    if (sinceTurnBytes > turnBytes) {
      sinceTurnBytes = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    yield listed;
  }
}

function* walk(dir: Buffer, prefix: string): Generator<string> {
  const entries: Dirent<Buffer>[] = [];
  const handle = guarded(prefix, () => opendirSync(dir as unknown as string, { encoding: 'buffer' as BufferEncoding }));
  try {
    for (let entry = handle.readSync(); entry !== null; entry = handle.readSync()) {
      entries.push(entry as unknown as Dirent<Buffer>);
    }
  } finally {
    handle.closeSync();
  }
  entries.sort((a, b) => Buffer.compare(a.name, b.name));
  for (const entry of entries) {
    const path = `${prefix}${entry.name.toString('latin1')}`;
    if (entry.isDirectory()) yield* walk(Buffer.concat([dir, Buffer.from('/'), entry.name]), `${path}/`);
    else if (entry.isFile()) yield path;
  }
}

function hashFile(hostPath: Buffer, path: string): ListedFile {
  return guarded(path, () => {
    const fd = openSync(hostPath, 'r');
    try {
      const hash = createHash('sha256');
      const { size, blocks, nlink } = fstatSync(fd);
      const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, size + 1));
      let [sizeBytes, dataBytes] = [0, 0];
      for (let count = readSync(fd, buffer); count > 0; count = readSync(fd, buffer)) {
        const chunk = buffer.subarray(0, count);
        hash.update(chunk);
        sizeBytes += count;
        dataBytes += bytesOfData(chunk);
      }
      const ownDeviceBytes = nlink === 1 ? Math.min(blocks * 512, dataBytes) : 0;
      return { path, sizeBytes, sha256: hash.digest('hex'), ownDeviceBytes };
    } finally {
      closeSync(fd);
    }
  });
}

/** How many bytes of a chunk are in blocks that hold something else than zeros. */
function bytesOfData(chunk: Buffer): number {
  let dataBytes = 0;
  for (let at = 0; at < chunk.length; at += zeroBlock.length) {
    const block = chunk.subarray(at, at + zeroBlock.length);
    if (!block.equals(zeroBlock.subarray(0, block.length))) dataBytes += block.length;
  }
  return dataBytes;
}

function guarded<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new ProvisionError('device_io', `${path === '' ? 'the root filesystem' : path} cannot be read back`, {
      cause,
      facts: { path, errno: errnoOf(cause) ?? 'unknown' },
    });
  }
}
