import { Duplex, PassThrough } from 'node:stream';
import { constants, createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from 'node:zlib';
import { errnoOf, ProvisionError } from '../base/errors.ts';
import type { Codec } from './types.ts';
import { ZstdFrameWalker } from './zstd-frame-walker.ts';
import { assertZstdWindowAllowed, largestZstdWindowBytes } from './zstd-window.ts';

export interface DecompressOptions {
  /** What is decompressed, for messages: `layer 3 (sha256:abcd…)`. */
  readonly label: string;
  /** zstd: the window that `sniffCodec` found, refused at once when it is too large. */
  readonly windowBytes?: number;
  /** zstd: largest window that any frame may ask for; default 128 MiB, as the zstd program's. */
  readonly maxWindowBytes?: number;
}

/** Watches the compressed bytes; throws when they are not one complete stream. */
interface InputCheck {
  write(chunk: Buffer): void;
  end(): void;
  isTrailing(error: unknown): boolean;
}

type Decoder = Gunzip | ZstdDecompress;

const defaultMaxWindowBytes = 128 * 1024 * 1024;
// Each call of a decoder is a trip to another thread: large chunks halve the time.
const outputChunkBytes = 1024 * 1024;
const inputBufferBytes = 1024 * 1024;

/**
 * A decoder for one stream: gzip of one or more members, zstd of one or more frames with skippable ones among them.
 * Its end means that the decoder has consumed the last byte, and that this byte ended a member or frame. Zero padding
 * behind gzip, which gzip(1) tolerates for tapes, is trailing data here: Go's readers (umoci, containerd) refuse it too.
 * @throws ProvisionError at once: `codec_unsupported` (xz), `memory_insufficient`. As stream error:
 * `stream_truncated`, `stream_corrupt`, `stream_trailing_data`, `memory_insufficient`, `codec_unsupported`.
 */
export function createDecompress(codec: Codec, options: DecompressOptions): Duplex {
  switch (codec) {
    case 'none':
      return new PassThrough();
    case 'gzip':
      return new CheckedDecoder(createGunzip(sizes), gzipCheck(), options.label);
    case 'zstd':
      return createZstd(options);
    case 'xz':
      throw new ProvisionError(
        'codec_unsupported',
        `${options.label} is compressed with xz, which this version cannot read; zstd, gzip and no compression work`,
      );
  }
}

const sizes = {
  chunkSize: outputChunkBytes,
  writableHighWaterMark: inputBufferBytes,
  readableHighWaterMark: outputChunkBytes,
};

function createZstd(options: DecompressOptions): Duplex {
  const maxWindowBytes = Math.min(options.maxWindowBytes ?? defaultMaxWindowBytes, largestZstdWindowBytes);
  const allow = (windowBytes: number): void => assertZstdWindowAllowed(windowBytes, maxWindowBytes, options.label);
  allow(options.windowBytes ?? 0);
  const windowLogMax = Math.max(10, Math.ceil(Math.log2(maxWindowBytes)));
  const decoder = createZstdDecompress({ ...sizes, params: { [constants.ZSTD_d_windowLogMax]: windowLogMax } });
  const walker = new ZstdFrameWalker({ label: options.label, onFrame: (frame) => allow(frame.windowBytes) });
  const check: InputCheck = {
    write: (chunk) => walker.write(chunk),
    end: () => walker.end(),
    isTrailing: () => false,
  };
  return new CheckedDecoder(decoder, check, options.label);
}

/** Node's gunzip goes on with the next member by itself; here only its errors are told apart. */
function gzipCheck(): InputCheck {
  let head = Buffer.alloc(0);
  return {
    write: (chunk) => {
      if (head.length < 2) head = Buffer.concat([head, chunk.subarray(0, 2 - head.length)]);
    },
    end: () => {},
    // The first member's magic was right, so the header that is not one is behind it.
    isTrailing: (error) =>
      error instanceof Error && error.message === 'incorrect header check' && head.toString('hex') === '1f8b',
  };
}

class CheckedDecoder extends Duplex {
  readonly #decoder: Decoder;
  readonly #check: InputCheck;
  readonly #label: string;
  #fedBytes = 0;
  #joined: Buffer = Buffer.alloc(0);

  constructor(decoder: Decoder, check: InputCheck, label: string) {
    super({ writableHighWaterMark: inputBufferBytes, readableHighWaterMark: outputChunkBytes });
    this.#decoder = decoder;
    this.#check = check;
    this.#label = label;
    decoder.pause();
    decoder.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) decoder.pause();
    });
    decoder.on('end', () => this.#finish());
    decoder.on('error', (error) => this.destroy(this.#explain(error)));
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    try {
      this.#check.write(chunk);
      this.#fedBytes += chunk.length;
      // The callback comes when the decoder has taken the chunk, so that at most one waits inside.
      this.#decoder.write(chunk, (error) => done(error ? this.#explain(error) : null));
    } catch (error) {
      done(this.#explain(error));
    }
  }

  /**
   * While the decoder is busy, chunks of 64 KiB gather here; it takes them together. The buffer they are joined in is
   * free again when the callback comes: fresh ones would make up half the work of the garbage collector.
   */
  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    const lengthBytes = chunks.reduce((sum, { chunk }) => sum + chunk.length, 0);
    if (this.#joined.length < lengthBytes) this.#joined = Buffer.allocUnsafeSlow(lengthBytes);
    let at = 0;
    for (const { chunk } of chunks) at += chunk.copy(this.#joined, at);
    this._write(this.#joined.subarray(0, lengthBytes), 'binary', done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#decoder.end();
    done();
  }

  override _read(): void {
    this.#decoder.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#decoder.destroy();
    done(error);
  }

  #finish(): void {
    try {
      // Gunzip stops silently at a zero byte behind a member and would drop the rest, whatever it is.
      if (this.#decoder.bytesWritten !== this.#fedBytes) throw trailingData(this.#label, 'compressed');
      this.#check.end();
      this.push(null);
    } catch (error) {
      this.destroy(this.#explain(error));
    }
  }

  #explain(cause: unknown): ProvisionError {
    if (cause instanceof ProvisionError) return cause;
    if (this.#check.isTrailing(cause)) return trailingData(this.#label, 'gzip', cause);
    const code = errnoOf(cause) ?? '';
    if (code === 'Z_BUF_ERROR') {
      return new ProvisionError('stream_truncated', `the compressed stream of ${this.#label} ends in the middle`, {
        cause,
      });
    }
    if (code === 'Z_MEM_ERROR' || code === 'ZSTD_error_memory_allocation') {
      return new ProvisionError('memory_insufficient', `there is not enough memory to decompress ${this.#label}`, {
        cause,
      });
    }
    return new ProvisionError('stream_corrupt', `the compressed stream of ${this.#label} is damaged`, { cause });
  }
}

function trailingData(label: string, format: string, cause?: unknown): ProvisionError {
  return new ProvisionError('stream_trailing_data', `${label} has other bytes behind the end of its ${format} stream`, {
    cause,
  });
}
