import { Transform, type TransformCallback } from 'node:stream';

class Rechunk extends Transform {
  readonly #chunkBytes: number;
  #buffer: Buffer;
  #used = 0;

  constructor(chunkBytes: number) {
    super({ writableHighWaterMark: chunkBytes, readableHighWaterMark: chunkBytes });
    this.#chunkBytes = chunkBytes;
    this.#buffer = Buffer.allocUnsafeSlow(chunkBytes);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    let at = 0;
    while (at < chunk.length) {
      const count = Math.min(this.#chunkBytes - this.#used, chunk.length - at);
      if (count === this.#chunkBytes) {
        this.push(chunk.subarray(at, at + count));
      } else {
        chunk.copy(this.#buffer, this.#used, at, at + count);
        this.#used += count;
        if (this.#used === this.#chunkBytes) this.#emit();
      }
      at += count;
    }
    done();
  }

  override _flush(done: TransformCallback): void {
    if (this.#used > 0) this.push(this.#buffer.subarray(0, this.#used));
    done();
  }

  #emit(): void {
    this.push(this.#buffer);
    // The pushed buffer belongs to the reader now.
    this.#buffer = Buffer.allocUnsafeSlow(this.#chunkBytes);
    this.#used = 0;
  }
}

/** Cuts a byte stream into chunks of exactly `chunkBytes`; only the last one may be shorter. */
export function createRechunk(chunkBytes: number): Transform {
  if (!Number.isSafeInteger(chunkBytes) || chunkBytes <= 0) throw new RangeError(`chunk size ${chunkBytes}`);
  return new Rechunk(chunkBytes);
}
