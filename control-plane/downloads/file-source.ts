import type { BigIntStats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errnoOf } from '../../core/base/errors.ts';
import type { ByteSource } from './byte-source.ts';

const chunkBytes = 256 * 1024;

/** A file changed or was cut short while it was read: what was read of it belongs to no version of it. */
export class FileChangedError extends Error {
  constructor(path: string) {
    super(`${path} was changed while it was read`);
    this.name = 'FileChangedError';
  }
}

/**
 * A regular file. It stays open, so that one that is replaced by another (as every build does) is served to its end; one
 * that is written to while it is served breaks off.
 */
export class FileSource implements ByteSource {
  readonly path: string;
  readonly handle: FileHandle;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  /** Another one when the file is another or was written to: device, inode, size, time of the change. */
  readonly version: string;

  private constructor(path: string, handle: FileHandle, stat: BigIntStats) {
    this.path = path;
    this.handle = handle;
    this.sizeBytes = Number(stat.size);
    this.modifiedMs = Number(stat.mtimeMs);
    this.version = versionOf(stat);
  }

  /** Null when there is no regular file. */
  static async open(path: string): Promise<FileSource | null> {
    let handle: FileHandle;
    try {
      handle = await open(path, 'r');
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'EISDIR', 'ENXIO'].includes(errnoOf(error) ?? '')) return null;
      throw error;
    }
    try {
      const stat = await handle.stat({ bigint: true });
      if (stat.isFile()) return new FileSource(path, handle, stat);
      await handle.close();
      return null;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get etag(): string {
    return `"${this.version}"`;
  }

  async *read(start: number, end: number): AsyncGenerator<Uint8Array> {
    for (let at = start; at < end; ) {
      const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, end - at));
      const { bytesRead } = await this.handle.read(buffer, 0, buffer.byteLength, at);
      at += bytesRead;
      // Asked before the last bytes leave: a receiver that counts them never has all of a mixture.
      if (bytesRead === 0) throw new FileChangedError(this.path);
      if (at >= end) await this.assertUnchanged();
      yield buffer.subarray(0, bytesRead);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.close();
  }

  /** @throws FileChangedError */
  async assertUnchanged(): Promise<void> {
    if (versionOf(await this.handle.stat({ bigint: true })) !== this.version) throw new FileChangedError(this.path);
  }
}

function versionOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs].map((number) => number.toString(36)).join('-');
}
