import { createHash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { mebibyte, subtractRanges } from './geometry.ts';
import type { ByteRange } from './types.ts';

/** A region of the image that was written, and the SHA-256 of the bytes that went there. */
export interface HashedRange {
  readonly parts: readonly ByteRange[];
  readonly sha256: Buffer;
}

const blockBytes = 4 * mebibyte;

/** A pass-through stream that hashes a raw disk in blocks of 4 MiB, without the ranges that are held back. */
export class ImageHashes extends Transform {
  readonly ranges: HashedRange[] = [];
  readonly #held: readonly ByteRange[];
  #hash = createHash('sha256');
  #block: { offsetBytes: number; lengthBytes: number } = { offsetBytes: 0, lengthBytes: 0 };

  constructor(held: readonly ByteRange[]) {
    super({ readableHighWaterMark: mebibyte, writableHighWaterMark: mebibyte });
    this.#held = held;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + blockBytes - this.#block.lengthBytes);
      this.#take(piece);
      at += piece.length;
      if (this.#block.lengthBytes === blockBytes) this.#endBlock();
    }
    done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    if (this.#block.lengthBytes > 0) this.#endBlock();
    done();
  }

  #take(piece: Buffer): void {
    const offsetBytes = this.#block.offsetBytes + this.#block.lengthBytes;
    for (const part of subtractRanges({ offsetBytes, lengthBytes: piece.length }, this.#held)) {
      const from = part.offsetBytes - offsetBytes;
      this.#hash.update(piece.subarray(from, from + part.lengthBytes));
    }
    this.#block.lengthBytes += piece.length;
  }

  #endBlock(): void {
    const parts = subtractRanges(this.#block, this.#held);
    if (parts.length > 0) this.ranges.push({ parts, sha256: this.#hash.digest() });
    this.#hash = createHash('sha256');
    this.#block = { offsetBytes: this.#block.offsetBytes + this.#block.lengthBytes, lengthBytes: 0 };
  }
}
