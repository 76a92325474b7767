import { createHash } from 'node:crypto';
import type { ByteSource } from './byte-source.ts';

/** Another source of the same length with some bytes replaced, never held in memory as a whole. */
export class PatchedSource implements ByteSource {
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly etag: string;
  readonly #base: ByteSource;
  readonly #patch: Uint8Array;
  readonly #offset: number;

  /** Takes `base` over. @param offset Where in it the patch lies, bytes. */
  constructor(base: ByteSource, patch: Uint8Array, offset: number) {
    this.#base = base;
    this.#patch = patch;
    this.#offset = offset;
    this.sizeBytes = base.sizeBytes;
    this.modifiedMs = base.modifiedMs;
    const digest = createHash('sha256').update(patch).digest('hex').slice(0, 16);
    this.etag = `${base.etag.slice(0, -1)}-${digest}"`;
  }

  async *read(start: number, end: number): AsyncGenerator<Uint8Array> {
    let at = start;
    for await (const bytes of this.#base.read(start, end)) {
      yield this.#patched(bytes, at);
      at += bytes.byteLength;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#base[Symbol.asyncDispose]();
  }

  #patched(bytes: Uint8Array, at: number): Uint8Array {
    const from = Math.max(at, this.#offset);
    const to = Math.min(at + bytes.byteLength, this.#offset + this.#patch.byteLength);
    if (from >= to) return bytes;
    const copy = Uint8Array.from(bytes);
    copy.set(this.#patch.subarray(from - this.#offset, to - this.#offset), from - at);
    return copy;
  }
}
