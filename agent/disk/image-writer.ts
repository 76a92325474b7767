import { Writable } from 'node:stream';
import { ProvisionError } from '../../core/base/errors.ts';
import {
  backupGptRange,
  backupTableBytes,
  headHoldBytes,
  mebibyte,
  rangesOverlap,
  subtractRanges,
} from './geometry.ts';
import type { ByteRange, EraseReport, Gpt, Target } from './types.ts';
import { isZero, writableRuns } from './zero-runs.ts';

export interface ImageWriterOptions {
  readonly imageGpt: Gpt;
  /** Size of the raw disk image, `rawDiskBytes(imageGpt)`. */
  readonly sizeBytes: number;
  /** That the disk was erased, and which ranges are zero for sure: zeros of the image are not written there. */
  readonly erased: Pick<EraseReport, 'zeroed'>;
  /** A flush is begun after so many bytes; at most twice as many are ever waiting. Default 64 MiB. */
  readonly flushEveryBytes?: number;
  /** Told how many bytes of the image, counted from its start, are on the medium. */
  readonly onFlushed?: (flushedBytes: number) => void;
}

/** One write(2) at most; aligned, so that the kernel never has to read a page before it can change it. */
const blockBytes = mebibyte;
const defaultFlushBytes = 64 * mebibyte;

/**
 * The writable end of the layer-0 stream: takes the raw disk in order from its first byte and writes all of it except
 * what is held back until the commit, i.e. the head and a backup GPT that would land where the disk's own belongs
 * (provisioning.md, invariant 1). It has finished when everything is on the medium. Bytes after the image's backup
 * GPT are accepted when they are zero (padding), and dropped.
 * @throws ProvisionError `stream_truncated` when the stream ends early, `size_mismatch` for data past the end, and
 * whatever the target throws.
 */
export function createImageWriter(target: Target, options: ImageWriterOptions): Writable {
  const flusher = new EarlyFlusher(target, options);
  const held = heldRanges(target, options);
  const block = Buffer.allocUnsafe(blockBytes);
  let filled = 0;
  let position = 0;

  const writeBlock = async (): Promise<void> => {
    const data = block.subarray(0, filled);
    for (const part of subtractRanges({ offsetBytes: position, lengthBytes: filled }, held)) {
      const slice = data.subarray(part.offsetBytes - position, part.offsetBytes - position + part.lengthBytes);
      for (const run of writableRuns(slice, part.offsetBytes, options.erased.zeroed)) {
        await target.write(run.data, run.offsetBytes);
      }
    }
    position += filled;
    filled = 0;
    await flusher.reached(position);
  };

  const take = async (chunk: Buffer): Promise<void> => {
    const wanted = options.sizeBytes - position - filled;
    refuseExcess(chunk.subarray(Math.max(0, wanted)), options.sizeBytes);
    let rest = chunk.subarray(0, Math.max(0, wanted));
    while (rest.length > 0) {
      const count = rest.copy(block, filled);
      filled += count;
      rest = rest.subarray(count);
      if (filled === blockBytes) await writeBlock();
    }
  };

  const finish = async (): Promise<void> => {
    if (filled > 0) await writeBlock();
    await flusher.finish(position);
    if (position < options.sizeBytes) {
      throw new ProvisionError('stream_truncated', 'the disk image ended before the disk that its table describes', {
        facts: { received_bytes: position, expected_bytes: options.sizeBytes },
      });
    }
  };

  return new Writable({
    highWaterMark: 4 * mebibyte,
    write: (chunk: Buffer, _encoding, done) => void take(chunk).then(() => done(), done),
    final: (done) => void finish().then(() => done(), done),
  });
}

/** What the writer never touches: the head, and the image's backup table where it meets the disk's own. */
export function heldRanges(target: Target, options: Pick<ImageWriterOptions, 'imageGpt'>): ByteRange[] {
  const head = { offsetBytes: 0, lengthBytes: headHoldBytes(options.imageGpt) };
  const tableBytes = backupTableBytes(target.sectorBytes);
  const tail = { offsetBytes: target.sizeBytes - tableBytes, lengthBytes: tableBytes };
  const backup = backupGptRange(options.imageGpt);
  return rangesOverlap(backup, tail) ? [head, backup] : [head];
}

function refuseExcess(excess: Buffer, sizeBytes: number): void {
  if (isZero(excess)) return;
  throw new ProvisionError(
    'size_mismatch',
    'the disk image goes on after the end of the disk that its table describes',
    {
      facts: { expected_bytes: sizeBytes },
    },
  );
}

/** Keeps at most two portions of data away from the medium: one that is filled while the other is being flushed. */
class EarlyFlusher {
  readonly #target: Target;
  readonly #everyBytes: number;
  readonly #onFlushed: ((flushedBytes: number) => void) | undefined;
  #begunBytes = 0;
  #pending: Promise<void> = Promise.resolve();

  constructor(target: Target, options: ImageWriterOptions) {
    this.#target = target;
    this.#everyBytes = options.flushEveryBytes ?? defaultFlushBytes;
    this.#onFlushed = options.onFlushed;
  }

  async reached(positionBytes: number): Promise<void> {
    if (positionBytes - this.#begunBytes < this.#everyBytes) return;
    await this.#pending;
    this.#begin(positionBytes);
  }

  async finish(positionBytes: number): Promise<void> {
    await this.#pending;
    if (this.#begunBytes < positionBytes) this.#begin(positionBytes);
    await this.#pending;
  }

  #begin(positionBytes: number): void {
    this.#begunBytes = positionBytes;
    this.#pending = this.#target.flush().then(() => this.#onFlushed?.(positionBytes));
    // Awaited at the next portion; until then a failure must not count as unhandled.
    this.#pending.catch(() => {});
  }
}
