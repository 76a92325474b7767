import type { FileHandle } from 'node:fs/promises';
import { ProvisionError } from '../base/errors.ts';
import { decodeIsoBlock, isoBlockBytes, isoBlockMagic } from './iso-block.ts';

/** Files of an ISO 9660 image begin at multiples of this (ECMA-119, section 6.2). */
const sectorBytes = 2048;
const chunkBytes = 2048 * sectorBytes;

/**
 * Offset in bytes of the block with settings in an installer ISO. The whole file is read: a second block would mean that
 * it is not known which one the installer reads.
 * @throws ProvisionError `iso_block_invalid` when there is none, when it is damaged, or when there are several.
 */
export async function findIsoBlock(iso: FileHandle, signal?: AbortSignal): Promise<number> {
  const found: number[] = [];
  let damaged: unknown;
  for await (const offset of magicOffsets(iso, signal)) {
    const block = Buffer.alloc(isoBlockBytes);
    const { bytesRead } = await iso.read(block, 0, isoBlockBytes, offset);
    try {
      decodeIsoBlock(block.subarray(0, bytesRead));
      found.push(offset);
    } catch (error) {
      damaged ??= error;
    }
  }
  const [offset, second] = found;
  if (second !== undefined) {
    throw new ProvisionError('iso_block_invalid', 'the ISO has more than one block for settings', {
      facts: { offsets: found.map(String) },
    });
  }
  if (offset !== undefined) return offset;
  if (damaged !== undefined) throw damaged;
  throw new ProvisionError(
    'iso_block_invalid',
    'the ISO has no block for settings: it is no installer ISO of durantic',
  );
}

async function* magicOffsets(iso: FileHandle, signal?: AbortSignal): AsyncGenerator<number> {
  const chunk = Buffer.allocUnsafe(chunkBytes);
  for (let start = 0; ; start += chunkBytes) {
    signal?.throwIfAborted();
    const bytesRead = await readFully(iso, chunk, start);
    for (let at = 0; at + isoBlockMagic.byteLength <= bytesRead; at += sectorBytes) {
      if (chunk[at] === isoBlockMagic[0] && chunk.compare(isoBlockMagic, 0, undefined, at, at + 16) === 0) {
        yield start + at;
      }
    }
    if (bytesRead < chunkBytes) return;
  }
}

async function readFully(file: FileHandle, buffer: Buffer, position: number): Promise<number> {
  let filled = 0;
  while (filled < buffer.byteLength) {
    const { bytesRead } = await file.read(buffer, filled, buffer.byteLength - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}
