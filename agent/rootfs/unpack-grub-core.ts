import { decodeLzma } from './lzma-decode.ts';

const sectorBytes = 512;
/** include/grub/offsets.h: GRUB_DECOMPRESSOR_I386_PC_COMPRESSED_SIZE and _UNCOMPRESSED_SIZE, after diskboot.img. */
const compressedSizeAt = sectorBytes + 0x08;
const uncompressedSizeAt = sectorBytes + 0x0c;
/** The decompressor is 2848 bytes in GRUB 2.06; other versions differ by a little. */
const firstStart = sectorBytes + 0x200;
const lastStart = sectorBytes + 0x4000;
const largestCoreBytes = 16 * 1024 * 1024;
/** GRUB_MODULE_MAGIC: "mimg" in front of the modules. */
const moduleMagic = Buffer.from('mimg');

/**
 * The kernel and modules of a GRUB i386-pc core image (`core.img` as grub-mkimage writes it: diskboot.img, the
 * decompressor, then LZMA), with its early configuration and prefix. Null when the bytes hold no such image.
 */
export function unpackGrubCore(bytes: Buffer): Buffer | null {
  if (bytes.byteLength < lastStart) return null;
  const compressedBytes = bytes.readUInt32LE(compressedSizeAt);
  const uncompressedBytes = bytes.readUInt32LE(uncompressedSizeAt);
  if (compressedBytes === 0 || compressedBytes > bytes.byteLength) return null;
  if (uncompressedBytes < compressedBytes || uncompressedBytes > largestCoreBytes) return null;
  for (let start = firstStart; start < lastStart; start += 1) {
    if (bytes[start] !== 0) continue;
    const core = decodeLzma(bytes.subarray(start, start + compressedBytes), uncompressedBytes);
    if (core?.includes(moduleMagic)) return core;
  }
  return null;
}
