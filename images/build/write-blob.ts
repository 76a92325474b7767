import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Duplex, type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { abortError } from '../../core/base/abort.ts';
import { createDecompress } from '../../core/stream/decompress.ts';
import { Digest } from '../../core/stream/digest.ts';
import type { Codec } from '../../core/stream/types.ts';
import { createCompressor } from './compressor.ts';
import type { LayerCodec } from './image-media-types.ts';

export interface WrittenBlob {
  readonly digest: string;
  readonly sizeBytes: number;
  /** Digest and size of the uncompressed bytes. */
  readonly diffId: string;
  readonly uncompressedBytes: number;
}

export interface WriteBlobOptions {
  /** The layout's folder. */
  readonly layout: string;
  /** How the source's bytes are compressed already. */
  readonly sourceCodec: Codec;
  readonly codec: LayerCodec;
  /** zstd level, 1 to 19. */
  readonly level: number;
  /** A pass-through for the uncompressed bytes. */
  readonly measure: Duplex;
  readonly label: string;
  /** Digest that the written bytes must have; sha256. */
  readonly expectedDigest?: string;
  readonly signal: AbortSignal;
}

const chunkBytes = 512 * 1024;

/**
 * Streams a source into the layout's blob store, hashing compressed and uncompressed bytes on the way; constant memory.
 * A source that has the wanted codec already is kept byte for byte.
 * @throws whatever the source or `measure` throw; ProvisionError `stream_corrupt`, `stream_truncated`, `aborted`.
 */
export async function writeBlob(source: Readable, options: WriteBlobOptions): Promise<WrittenBlob> {
  const { layout, signal } = options;
  const folder = join(layout, 'blobs', 'sha256');
  await mkdir(folder, { recursive: true });
  const draft = join(layout, `.draft-${randomUUID()}`);
  const inner = new Digest('sha256');
  const outer = new Digest('sha256');
  const file = createWriteStream(draft, { highWaterMark: 4 * chunkBytes });
  try {
    if (options.sourceCodec !== 'none' && options.sourceCodec === options.codec) {
      await pipeline(source, outer, file, { signal });
      await pipeline(
        createReadStream(draft, { highWaterMark: chunkBytes }),
        createDecompress(options.sourceCodec, { label: options.label }),
        inner,
        options.measure,
        new Writable({ write: (_chunk, _encoding, done) => done() }),
        { signal },
      );
    } else {
      const decompress = createDecompress(options.sourceCodec, { label: options.label });
      await pipeline(source, decompress, inner, options.measure, createCompressor(options), outer, file, { signal });
    }
    const digest = outer.result();
    if (options.expectedDigest !== undefined) {
      outer.verify({ digest: options.expectedDigest, sizeBytes: null, label: options.label });
    }
    await rename(draft, join(folder, digest.slice('sha256:'.length)));
    return {
      digest,
      sizeBytes: outer.sizeBytes,
      diffId: inner.result(),
      uncompressedBytes: inner.sizeBytes,
    };
  } catch (error) {
    throw signal.aborted ? abortError(signal) : error;
  } finally {
    await rm(draft, { force: true });
  }
}
