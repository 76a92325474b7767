import { Transform, type TransformCallback } from 'node:stream';
import { ProvisionError } from '../../../core/base/errors.ts';

/** A pass-through stream that keeps a copy of the first bytes, for the commit at the very end. */
export class HeadKeeper extends Transform {
  readonly #head: Buffer;
  #filledBytes = 0;

  constructor(lengthBytes: number) {
    super({ readableHighWaterMark: 1024 * 1024, writableHighWaterMark: 1024 * 1024 });
    this.#head = Buffer.alloc(lengthBytes);
  }

  /**
   * The first bytes of the stream.
   * @throws ProvisionError `stream_truncated` when fewer have passed.
   */
  head(): Buffer {
    if (this.#filledBytes < this.#head.length) {
      throw new ProvisionError('stream_truncated', 'the disk image ended before its partition table', {
        facts: { received_bytes: this.#filledBytes, expected_bytes: this.#head.length },
      });
    }
    return this.#head;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#filledBytes < this.#head.length) this.#filledBytes += chunk.copy(this.#head, this.#filledBytes);
    done(null, chunk);
  }
}
