import { Duplex, PassThrough } from 'node:stream';
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import type { LayerCodec } from './image-media-types.ts';

const chunkBytes = 512 * 1024;

/** zstd's own default is 3; 6 is smaller for a Debian root at twice the time. */
export const tarLevel = 6;

/**
 * The stream that makes a layer's bytes. The same bytes in give the same bytes out, however they are cut and whenever
 * they come: node's own compressors end the frame together with the last chunk when the end is known by then, and in a
 * call of its own when it is not, and zstd writes different frames for the two.
 * @param level zstd level, 1 to 19; gzip has one of its own.
 */
export function createCompressor(options: { codec: LayerCodec; level: number }): Duplex {
  const { codec, level } = options;
  if (codec === 'none') return new PassThrough();
  // Node writes neither name nor time into the gzip header.
  if (codec === 'gzip') return new SteadyCompressor(createGzip({ level: 6, chunkSize: chunkBytes }));
  const { ZSTD_c_compressionLevel, ZSTD_c_checksumFlag } = constants;
  const params = { [ZSTD_c_compressionLevel]: level, [ZSTD_c_checksumFlag]: 1 };
  return new SteadyCompressor(createZstdCompress({ chunkSize: chunkBytes, params }));
}

/** Ends the compressor only when it has taken every chunk. */
class SteadyCompressor extends Duplex {
  readonly #compressor: Duplex;

  constructor(compressor: Duplex) {
    super({ writableHighWaterMark: chunkBytes, readableHighWaterMark: chunkBytes });
    this.#compressor = compressor;
    compressor.pause();
    compressor.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) compressor.pause();
    });
    compressor.on('end', () => this.push(null));
    compressor.on('error', (error) => this.destroy(error));
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#compressor.write(chunk, (error) => done(error));
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#compressor.end();
    done();
  }

  override _read(): void {
    this.#compressor.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#compressor.destroy();
    done(error);
  }
}
