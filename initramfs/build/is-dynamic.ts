import { closeSync, openSync, readSync } from 'node:fs';

const dynamicSegment = 2;

/**
 * Is the file a 64-bit ELF object that a loader completes with libraries (it has a PT_DYNAMIC segment, elf(5))? A static
 * program and a text are not.
 */
export function isDynamic(file: string): boolean {
  const fd = openSync(file, 'r');
  try {
    const header = Buffer.alloc(64);
    if (readSync(fd, header, 0, 64, 0) < 64 || header.toString('latin1', 0, 5) !== '\x7fELF\x02') return false;
    const [entryBytes, count] = [header.readUInt16LE(54), header.readUInt16LE(56)];
    const segments = Buffer.alloc(entryBytes * count);
    readSync(fd, segments, 0, segments.length, Number(header.readBigUInt64LE(32)));
    return Array.from({ length: count }, (_, at) => segments.readUInt32LE(at * entryBytes)).includes(dynamicSegment);
  } finally {
    closeSync(fd);
  }
}
