import { Transform, type TransformCallback } from 'node:stream';
import { type Extract, extract, type Header } from 'tar-stream';
import { ProvisionError } from '../../core/base/errors.ts';

export interface TarMeasure {
  readonly entries: number;
  /** Space that the layer takes on a file system of 4 KiB blocks; see `unpackedBytes`. */
  readonly unpackedBytes: number;
}

const blockBytes = 4096;
/** ext4 keeps link targets of up to 59 bytes in the inode. */
const longestInlineLink = 59;

/**
 * A pass-through stream that reads the tar going by. Ends in an error when the bytes are not a whole tar archive.
 * Stream error: ProvisionError `image_build_failed`.
 */
export class MeasureTar extends Transform {
  readonly #label: string;
  readonly #extract: Extract;
  readonly #ended: Promise<void>;
  #entries = 0;
  #unpackedBytes = 0;
  #isComplete = false;

  constructor(label: string) {
    super();
    this.#label = label;
    this.#extract = extract();
    this.#ended = new Promise((resolve, reject) => {
      this.#extract.on('finish', () => resolve());
      this.#extract.on('error', reject);
    });
    // Asked for in _flush; an error before that is seen by the next write.
    this.#ended.catch((error: Error) => this.destroy(this.#explain(error)));
    this.#extract.on('entry', (headers, body, next) => {
      this.#entries += 1;
      this.#unpackedBytes += unpackedBytes(headers);
      body.on('end', next);
      // A body that is cut off is told by the archive's own error.
      body.on('error', () => undefined);
      body.resume();
    });
  }

  /** @throws ProvisionError `invariant` before the end. */
  result(): TarMeasure {
    if (!this.#isComplete) throw new ProvisionError('invariant', 'a tar was asked for its size before its end');
    return { entries: this.#entries, unpackedBytes: this.#unpackedBytes };
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#extract.write(chunk)) done(null, chunk);
    else this.#extract.once('drain', () => done(null, chunk));
  }

  override _flush(done: TransformCallback): void {
    this.#extract.end(undefined);
    this.#ended.then(
      () => {
        if (this.#entries === 0) return done(this.#explain(new Error('it has no entries')));
        this.#isComplete = true;
        done();
      },
      (error: Error) => done(this.#explain(error)),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#extract.destroy();
    done(error);
  }

  #explain(cause: Error): ProvisionError {
    return new ProvisionError('image_build_failed', `${this.#label} is not a whole tar archive`, { cause });
  }
}

/**
 * Bytes that one entry takes on a file system of 4 KiB blocks: a file's contents in whole blocks (a sparse one's data
 * only), one block for a folder or a long link; hard links, devices and whiteouts take none.
 */
export function unpackedBytes(headers: Pick<Header, 'type' | 'size' | 'linkname' | 'name'>): number {
  switch (headers.type) {
    case 'file':
    case 'contiguous-file':
      return Math.ceil((headers.size ?? 0) / blockBytes) * blockBytes;
    case 'directory':
      return blockBytes;
    case 'symlink':
      return Buffer.byteLength(headers.linkname ?? '') > longestInlineLink ? blockBytes : 0;
    default:
      return 0;
  }
}
