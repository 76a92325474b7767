import { closeSync, openSync, readSync, statSync } from 'node:fs';

/** One request of the guest, in the order in which the disk completed them. */
export interface LogEntry {
  readonly kind: 'write' | 'discard' | 'flush';
  /** Of the disk. */
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  /** The first 4096 bytes of what was written, or all of it; empty for flushes and discards. */
  readonly start: Buffer;
}

export interface WriteLog {
  readonly sectorBytes: number;
  readonly diskBytes: number;
  readonly entries: readonly LogEntry[];
}

const magic = 0x6a736677736872n;
const flagFlush = 1n;
const flagDiscard = 4n;
const knownFlags = 15n;
const startBytes = 4096;

/**
 * Reads a log of QEMU's blklogwrites: a superblock, then per entry one sector of header and the data (none for a
 * discard). Format: block/blklogwrites.c of QEMU, drivers/md/dm-log-writes.c of Linux.
 * @throws Error when the file is no such log, is cut off, or an entry lies outside the disk.
 */
export function readWriteLog(file: string, diskBytes: number): WriteLog {
  const fd = openSync(file, 'r');
  try {
    const superblock = readAt(fd, 0, 28);
    if (superblock.readBigUInt64LE(0) !== magic || superblock.readBigUInt64LE(8) !== 1n) {
      throw new Error(`${file} is no log of writes`);
    }
    const sectorBytes = superblock.readUInt32LE(24);
    const count = Number(superblock.readBigUInt64LE(16));
    const entries: LogEntry[] = [];
    let position = sectorBytes;
    for (let index = 0; index < count; index++) {
      const entry = readEntry(fd, position, sectorBytes);
      if (entry.offsetBytes + entry.lengthBytes > diskBytes) throw new Error(`entry ${index} lies outside the disk`);
      entries.push(entry);
      position += sectorBytes + (entry.kind === 'discard' ? 0 : entry.lengthBytes);
    }
    const sizeBytes = statSync(file).size;
    // The count is brought up to date by flushes only: more bytes than counted are requests that no flush followed.
    if (position !== sizeBytes)
      throw new Error(`${file}: ${count} entries end at ${position}, the file at ${sizeBytes}`);
    return { sectorBytes, diskBytes, entries };
  } finally {
    closeSync(fd);
  }
}

function readEntry(fd: number, position: number, sectorBytes: number): LogEntry {
  const header = readAt(fd, position, 32);
  const flags = header.readBigUInt64LE(16);
  const lengthBytes = Number(header.readBigUInt64LE(8)) * sectorBytes;
  if ((flags & ~knownFlags) !== 0n) throw new Error(`no entry of a log at byte ${position}`);
  if ((flags & flagFlush) !== 0n && lengthBytes > 0) throw new Error(`a flush with data at byte ${position}`);
  const kind = (flags & flagFlush) !== 0n ? 'flush' : (flags & flagDiscard) !== 0n ? 'discard' : 'write';
  return {
    kind,
    offsetBytes: Number(header.readBigUInt64LE(0)) * sectorBytes,
    lengthBytes,
    start: kind === 'write' ? readAt(fd, position + sectorBytes, Math.min(lengthBytes, startBytes)) : Buffer.alloc(0),
  };
}

function readAt(fd: number, position: number, lengthBytes: number): Buffer {
  const buffer = Buffer.alloc(lengthBytes);
  if (readSync(fd, buffer, 0, lengthBytes, position) !== lengthBytes) throw new Error(`cut off at byte ${position}`);
  return buffer;
}
