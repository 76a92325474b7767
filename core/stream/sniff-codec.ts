import type { CodecFacts } from './types.ts';
import { ZstdFrameWalker } from './zstd-frame-walker.ts';

/** So many bytes from the start are enough to recognise every codec (not for a zstd window behind a long skippable frame). */
export const sniffBytes = 64;

/**
 * Recognises the compression from the first bytes: gzip (RFC 1952, method 8), zstd (RFC 8878, skippable frames
 * first included), xz. Anything else is `none`. `windowBytes` is 0 when the first zstd frame's header is not within
 * the bytes; the decoder checks every frame again.
 */
export function sniffCodec(bytes: Uint8Array): CodecFacts {
  if (beginsWith(bytes, [0x1f, 0x8b, 0x08])) return { codec: 'gzip', windowBytes: 0 };
  if (beginsWith(bytes, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])) return { codec: 'xz', windowBytes: 0 };
  const isSkippable =
    bytes.length >= 4 && ((bytes[0] ?? 0) & 0xf0) === 0x50 && beginsWith(bytes.subarray(1), [0x2a, 0x4d, 0x18]);
  if (isSkippable || beginsWith(bytes, [0x28, 0xb5, 0x2f, 0xfd])) {
    return { codec: 'zstd', windowBytes: firstWindowBytes(bytes) };
  }
  return { codec: 'none', windowBytes: 0 };
}

function firstWindowBytes(bytes: Uint8Array): number {
  let windowBytes: number | undefined;
  const walker = new ZstdFrameWalker({
    label: 'stream',
    onFrame: (frame) => {
      windowBytes ??= frame.windowBytes;
    },
  });
  try {
    walker.write(bytes);
  } catch {
    // What is wrong behind the first frame's header is for the decoder to say, which knows the layer's name.
  }
  return windowBytes ?? 0;
}

function beginsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return bytes.length >= magic.length && magic.every((byte, index) => bytes[index] === byte);
}
