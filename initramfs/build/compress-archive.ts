import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { type CpioEntry, cpioChunks } from '../../core/cpio/cpio.ts';

/** Almost all of it is compressed already: a higher level takes its time over busybox and scripts only. */
const level = 12;

/** The kernel needs memory for the window while it unpacks (lib/decompress_unzstd.c): 1 MiB. */
const windowLog = 20;

/**
 * Writes the archive for CONFIG_INITRAMFS_SOURCE, compressed with the zstd inside Node: its version is pinned with
 * Node's, so that the bytes do not depend on this machine.
 */
export async function compressArchive(file: string, entries: readonly CpioEntry[], signal: AbortSignal): Promise<void> {
  const { ZSTD_c_compressionLevel, ZSTD_c_windowLog } = constants;
  const compressor = createZstdCompress({
    params: { [ZSTD_c_compressionLevel]: level, [ZSTD_c_windowLog]: windowLog },
  });
  await pipeline(Readable.from(cpioChunks(entries)), compressor, createWriteStream(file), { signal });
}
