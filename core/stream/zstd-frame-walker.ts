import { ProvisionError } from '../base/errors.ts';

export interface ZstdFrame {
  /** Memory that the decoder needs for its window; for a single-segment frame its content size. */
  readonly windowBytes: number;
}

export interface ZstdFrameWalkerOptions {
  readonly label: string;
  /** Told about each frame as soon as its header is complete; may throw. Skippable frames are not told. */
  readonly onFrame?: (frame: ZstdFrame) => void;
}

type State = 'magic' | 'skippable-size' | 'descriptor' | 'header' | 'block';

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;
const largestBlockBytes = 128 * 1024;
const dictionaryIdBytes = [0, 1, 2, 4];

/**
 * Follows the structure of a zstd stream (RFC 8878: frames, skippable frames, blocks, checksums) without decoding it,
 * so that its end is known exactly: Node's decoder neither reports bytes behind the last frame nor a magic number
 * that is cut short.
 */
export class ZstdFrameWalker {
  readonly #options: ZstdFrameWalkerOptions;
  readonly #field = Buffer.alloc(16);
  #state: State = 'magic';
  #haveBytes = 0;
  #needBytes = 4;
  #skipBytes = 0;
  #descriptor = 0;
  #hasFrames = false;

  readonly #readers: Readonly<Record<State, () => void>> = {
    magic: () => this.#readMagic(this.#field.readUInt32LE(0)),
    'skippable-size': () => this.#expect('magic', 4, this.#field.readUInt32LE(0)),
    descriptor: () => this.#readDescriptor(this.#field.readUInt8(0)),
    header: () => this.#readHeader(),
    block: () => this.#readBlock(this.#field.readUIntLE(0, 3)),
  };

  constructor(options: ZstdFrameWalkerOptions) {
    this.#options = options;
  }

  /** @throws ProvisionError `stream_corrupt`, `stream_trailing_data`, `codec_unsupported` (a frame that needs a dictionary). */
  write(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#skipBytes > 0) {
        const count = Math.min(this.#skipBytes, chunk.length - at);
        this.#skipBytes -= count;
        at += count;
        continue;
      }
      const count = Math.min(this.#needBytes - this.#haveBytes, chunk.length - at);
      this.#field.set(chunk.subarray(at, at + count), this.#haveBytes);
      this.#haveBytes += count;
      at += count;
      if (this.#haveBytes === this.#needBytes) this.#advance();
    }
  }

  /** @throws ProvisionError `stream_truncated` unless the last byte seen was the last one of a frame. */
  end(): void {
    if (this.#state === 'magic' && this.#haveBytes === 0 && this.#skipBytes === 0 && this.#hasFrames) return;
    throw new ProvisionError('stream_truncated', `the zstd stream of ${this.#options.label} ends in the middle`);
  }

  #expect(state: State, needBytes: number, skipBytes = 0): void {
    this.#state = state;
    this.#needBytes = needBytes;
    this.#haveBytes = 0;
    this.#skipBytes = skipBytes;
  }

  #advance(): void {
    this.#readers[this.#state]();
  }

  #readMagic(magic: number): void {
    const { label } = this.#options;
    if (magic === frameMagic) {
      this.#expect('descriptor', 1);
    } else if ((magic & 0xfffffff0) >>> 0 === skippableMagic) {
      this.#hasFrames = true;
      this.#expect('skippable-size', 4);
    } else if (this.#hasFrames) {
      throw new ProvisionError('stream_trailing_data', `${label} has other bytes behind its last zstd frame`);
    } else {
      throw new ProvisionError('stream_corrupt', `${label} does not begin with a zstd frame`);
    }
  }

  #readDescriptor(descriptor: number): void {
    if ((descriptor & 0x08) !== 0) this.#corrupt('a reserved bit is set in a frame header');
    this.#descriptor = descriptor;
    const isSingleSegment = (descriptor & 0x20) !== 0;
    const needBytes = (isSingleSegment ? 0 : 1) + idBytes(descriptor) + contentSizeBytes(descriptor);
    // A frame header is never empty: without a window descriptor there is a content size.
    this.#expect('header', needBytes);
  }

  #readHeader(): void {
    const isSingleSegment = (this.#descriptor & 0x20) !== 0;
    const idAt = isSingleSegment ? 0 : 1;
    const sizeAt = idAt + idBytes(this.#descriptor);
    if (idBytes(this.#descriptor) > 0 && this.#field.readUIntLE(idAt, idBytes(this.#descriptor)) !== 0) {
      throw new ProvisionError(
        'codec_unsupported',
        `${this.#options.label} needs a zstd dictionary, which no image has`,
      );
    }
    const windowBytes = isSingleSegment ? this.#contentSize(sizeAt) : windowSize(this.#field.readUInt8(0));
    this.#hasFrames = true;
    this.#options.onFrame?.({ windowBytes });
    this.#expect('block', 3);
  }

  #contentSize(at: number): number {
    const bytes = contentSizeBytes(this.#descriptor);
    if (bytes === 8) return Number(this.#field.readBigUInt64LE(at));
    return this.#field.readUIntLE(at, bytes) + (bytes === 2 ? 256 : 0);
  }

  #readBlock(header: number): void {
    const isLast = (header & 1) !== 0;
    const type = (header >> 1) & 3;
    const sizeBytes = header >> 3;
    if (type === 3) this.#corrupt('a block has the reserved type');
    // The size of an RLE block (type 1) counts repetitions of the one byte that follows.
    if (sizeBytes > largestBlockBytes) this.#corrupt(`a block of ${sizeBytes} bytes is larger than 128 KiB`);
    const storedBytes = type === 1 ? 1 : sizeBytes;
    const checksumBytes = (this.#descriptor & 0x04) === 0 ? 0 : 4;
    if (isLast) this.#expect('magic', 4, storedBytes + checksumBytes);
    else this.#expect('block', 3, storedBytes);
  }

  #corrupt(why: string): never {
    throw new ProvisionError('stream_corrupt', `the zstd stream of ${this.#options.label} is damaged: ${why}`);
  }
}

function idBytes(descriptor: number): number {
  return dictionaryIdBytes[descriptor & 3] ?? 0;
}

function contentSizeBytes(descriptor: number): number {
  const flag = descriptor >> 6;
  if (flag === 0) return (descriptor & 0x20) === 0 ? 0 : 1;
  return 2 ** flag;
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}
