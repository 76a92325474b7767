import { Transform, type TransformCallback } from 'node:stream';

class Rechunk extends Transform {
  readonly #chunkBytes: number;
  #pending: Buffer = Buffer.alloc(0);
  /** The memory of `#pending` when it was copied together; undefined while it is a view of what came in. */
  #own: Buffer | undefined;

  constructor(chunkBytes: number) {
    super({ writableHighWaterMark: chunkBytes, readableHighWaterMark: chunkBytes });
    this.#chunkBytes = chunkBytes;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    let at = 0;
    while (at < chunk.length) {
      const count = Math.min(this.#chunkBytes - this.#pending.length, chunk.length - at);
      this.#append(chunk.subarray(at, at + count));
      if (this.#pending.length === this.#chunkBytes) this.#emit();
      at += count;
    }
    done();
  }

  override _flush(done: TransformCallback): void {
    if (this.#pending.length > 0) this.#emit();
    done();
  }

  // A decoder cuts its output from one buffer after another: neighbours in memory are joined without copying.
  #append(part: Buffer): void {
    const joinedBytes = this.#pending.length + part.length;
    if (this.#pending.length === 0) {
      this.#pending = part;
    } else if (this.#own === undefined && isRightBehind(this.#pending, part)) {
      this.#pending = Buffer.from(part.buffer, this.#pending.byteOffset, joinedBytes);
    } else {
      if (this.#own === undefined) {
        this.#own = Buffer.allocUnsafeSlow(this.#chunkBytes);
        this.#pending.copy(this.#own);
      }
      part.copy(this.#own, this.#pending.length);
      this.#pending = this.#own.subarray(0, joinedBytes);
    }
  }

  // What is pushed belongs to the reader.
  #emit(): void {
    this.push(this.#pending);
    this.#pending = Buffer.alloc(0);
    this.#own = undefined;
  }
}

/** Cuts a byte stream into chunks of exactly `chunkBytes`; only the last one may be shorter. */
export function createRechunk(chunkBytes: number): Transform {
  if (!Number.isSafeInteger(chunkBytes) || chunkBytes <= 0) throw new RangeError(`chunk size ${chunkBytes}`);
  return new Rechunk(chunkBytes);
}

function isRightBehind(first: Buffer, second: Buffer): boolean {
  return first.buffer === second.buffer && first.byteOffset + first.length === second.byteOffset;
}
