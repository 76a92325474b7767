import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createInflateRaw, createZstdDecompress } from 'node:zlib';
import { errnoOf } from '../../core/base/errors.ts';
import type { IdentifierScanner } from './identifier-scanner.ts';

const headBytes = 4096;
const chunkBytes = 256 * 1024;
/** newc header and the largest name that Linux takes (init/initramfs.c). */
const cpioHeaderBytes = 110;
/** The windows of kernel images and initramfs archives are far below this; a hostile one is not searched. */
const largestWindowLog = 27;

const packedFormats: readonly { readonly name: string; readonly magic: string }[] = [
  { name: 'gzip', magic: '1f8b08' },
  { name: 'zstd', magic: '28b52ffd' },
  { name: 'xz', magic: 'fd377a585a00' },
  { name: 'lzma', magic: '5d0000' },
  { name: 'lz4', magic: '02214c18' },
  { name: 'bzip2', magic: '425a68' },
  { name: 'lzop', magic: '894c5a4f' },
];

export interface ScanArchiveOptions {
  readonly scanner: IdentifierScanner;
  readonly signal: AbortSignal;
  /** Where the archive lies in the file; default all of it. */
  readonly offsetBytes?: number;
  readonly endBytes?: number;
}

/**
 * Searches an initramfs: any number of cpio archives, each plain or compressed, one behind the other with zeros
 * between them (Linux Documentation/driver-api/early-userspace/buffer-format.rst). Plain parts are found by reading the
 * file as it is, gzip and zstd parts are unpacked. Gives the names of formats that could not be searched.
 */
export async function scanArchive(file: string, options: ScanArchiveOptions): Promise<string[]> {
  await scanFile(file, options);
  const unsearched: string[] = [];
  await using handle = await open(file, 'r');
  const endBytes = options.endBytes ?? (await handle.stat()).size;
  let at = options.offsetBytes ?? 0;
  while (at < endBytes) {
    const head = await readAt(handle, at, Math.min(headBytes, endBytes - at));
    const format = formatOf(head);
    if (format === 'zeros') at += zeroBytes(head);
    else if (format === 'cpio') at = await endOfCpio(handle, at, endBytes);
    else if (format === 'gzip' || format === 'zstd') {
      const usedBytes = await scanPacked(file, { ...options, format, at, endBytes, head });
      if (usedBytes === null) return [...unsearched, `${format} (damaged)`];
      at += usedBytes;
    } else return [...unsearched, format];
  }
  return unsearched;
}

/** Searches the bytes of a file as they are. */
export async function scanFile(file: string, options: ScanArchiveOptions): Promise<void> {
  const { scanner, signal, offsetBytes = 0, endBytes } = options;
  const range = { start: offsetBytes, ...(endBytes === undefined ? {} : { end: endBytes - 1 }) };
  await pipeline(createReadStream(file, { ...range, highWaterMark: 1 << 20 }), toScanner(scanner), { signal });
  scanner.endStream();
}

function formatOf(head: Buffer): string {
  if (head[0] === 0) return 'zeros';
  if (/^07070[12]/.test(head.toString('latin1', 0, 6))) return 'cpio';
  const hex = head.toString('hex', 0, 8);
  return packedFormats.find(({ magic }) => hex.startsWith(magic))?.name ?? 'unknown format';
}

function zeroBytes(head: Buffer): number {
  const first = head.findIndex((byte) => byte !== 0);
  return first === -1 ? head.byteLength : first;
}

/** Offset behind the trailer of the plain archive that starts at `start`; the file's end when it is cut off. */
async function endOfCpio(handle: FileHandle, start: number, endBytes: number): Promise<number> {
  let at = start;
  while (at + cpioHeaderBytes <= endBytes) {
    const head = await readAt(handle, at, Math.min(headBytes, endBytes - at));
    if (!/^07070[12]/.test(head.toString('latin1', 0, 6))) return endBytes;
    const fileBytes = Number.parseInt(head.toString('latin1', 54, 62), 16);
    const nameBytes = Number.parseInt(head.toString('latin1', 94, 102), 16);
    if (!Number.isFinite(fileBytes) || !Number.isFinite(nameBytes)) return endBytes;
    const name = head.toString('latin1', cpioHeaderBytes, cpioHeaderBytes + nameBytes - 1);
    const dataAt = align4(cpioHeaderBytes + nameBytes);
    at += align4(dataAt + fileBytes);
    if (name === 'TRAILER!!!') return Math.min(at, endBytes);
  }
  return endBytes;
}

/** Bytes of the compressed part, or null when it is damaged. */
async function scanPacked(
  file: string,
  part: ScanArchiveOptions & { format: 'gzip' | 'zstd'; at: number; endBytes: number; head: Buffer },
): Promise<number | null> {
  const headerBytes = part.format === 'gzip' ? gzipHeaderBytes(part.head) : 0;
  const trailerBytes = part.format === 'gzip' ? 8 : 0;
  // Raw deflate: zlib's gunzip takes what follows a member for another member, and fails on a cpio archive.
  const decoder =
    part.format === 'gzip'
      ? createInflateRaw({ chunkSize: chunkBytes })
      : createZstdDecompress({ chunkSize: chunkBytes, params: { [constants.ZSTD_d_windowLogMax]: largestWindowLog } });
  const source = createReadStream(file, {
    start: part.at + headerBytes,
    end: part.endBytes - 1,
    highWaterMark: 1 << 20,
  });
  try {
    await pipeline(source, decoder, toScanner(part.scanner), { signal: part.signal });
  } catch (error) {
    if (!/^Z(STD)?_|^ERR_ZSTD|^ZSTD/.test(errnoOf(error) ?? '')) throw error;
    return null;
  } finally {
    part.scanner.endStream();
  }
  return headerBytes + decoder.bytesWritten + trailerBytes;
}

/** Length of a gzip member's header (RFC 1952, section 2.3). */
function gzipHeaderBytes(head: Buffer): number {
  const flags = head[3] ?? 0;
  let at = 10;
  if (flags & 4) at += 2 + head.readUInt16LE(at);
  for (const flag of [8, 16]) {
    if (flags & flag) at = head.indexOf(0, at) + 1;
  }
  return flags & 2 ? at + 2 : at;
}

function toScanner(scanner: IdentifierScanner): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      scanner.push(chunk);
      done();
    },
  });
}

async function readAt(handle: FileHandle, offsetBytes: number, lengthBytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(lengthBytes);
  const { bytesRead } = await handle.read(buffer, 0, lengthBytes, offsetBytes);
  return buffer.subarray(0, bytesRead);
}

function align4(value: number): number {
  return Math.ceil(value / 4) * 4;
}
