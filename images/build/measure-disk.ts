import { Transform, type TransformCallback } from 'node:stream';
import { partitionRange, rawDiskBytes } from '../../agent/disk/geometry.ts';
import { detectGpt } from '../../agent/disk/gpt.ts';
import type { Gpt, GptPartition } from '../../agent/disk/types.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import { partitionTypes } from './disk-plan.ts';

export interface DiskMeasure {
  readonly diskBytes: number;
  readonly sectorBytes: 512 | 4096;
  /** `ext4`, `xfs`, `btrfs`, or null where the root was not found or holds something else. */
  readonly rootType: string | null;
}

const headBytes = 1024 * 1024;
/** The superblocks of ext4 (at 1 KiB), xfs (at 0) and btrfs (at 64 KiB) lie within. */
const probeBytes = 128 * 1024;

/**
 * A pass-through stream that reads partition table and root superblock of the raw disk going by.
 * Stream error: ProvisionError `image_build_failed` when there is no valid GPT or the disk is cut off.
 */
export class MeasureDisk extends Transform {
  readonly #label: string;
  #head: Buffer[] = [];
  #positionBytes = 0;
  #gpt: Gpt | undefined;
  #probe = Buffer.alloc(0);
  #probeStart = Number.POSITIVE_INFINITY;
  #isComplete = false;

  constructor(label: string) {
    super();
    this.#label = label;
  }

  /** @throws ProvisionError `invariant` before the end. */
  result(): DiskMeasure {
    const gpt = this.#gpt;
    if (!this.#isComplete || gpt === undefined) {
      throw new ProvisionError('invariant', 'a disk was asked for its facts before its end');
    }
    return {
      diskBytes: rawDiskBytes(gpt),
      sectorBytes: gpt.sectorBytes,
      rootType: fileSystemType(this.#probe),
    };
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      const start = this.#positionBytes;
      this.#positionBytes += chunk.length;
      if (this.#gpt === undefined) this.#takeHead(chunk);
      else this.#takeProbe(chunk, start);
      done(null, chunk);
    } catch (error) {
      done(this.#explain(error));
    }
  }

  override _flush(done: TransformCallback): void {
    try {
      if (this.#gpt === undefined) this.#parseHead();
      const gpt = this.#gpt;
      const wantedBytes = gpt === undefined ? 0 : rawDiskBytes(gpt);
      if (this.#positionBytes < wantedBytes) {
        throw new Error(`it has ${this.#positionBytes} bytes, and its partition table is for ${wantedBytes}`);
      }
      this.#isComplete = true;
      done();
    } catch (error) {
      done(this.#explain(error));
    }
  }

  #takeHead(chunk: Buffer): void {
    this.#head.push(chunk);
    if (this.#positionBytes >= headBytes) this.#parseHead();
  }

  #parseHead(): void {
    const head = Buffer.concat(this.#head);
    this.#head = [];
    const gpt = detectGpt(head);
    this.#gpt = gpt;
    const root = likelyRoot(gpt.partitions);
    if (root === undefined) return;
    this.#probeStart = partitionRange(gpt, root).offsetBytes;
    this.#takeProbe(head, 0);
  }

  #takeProbe(chunk: Buffer, start: number): void {
    const from = Math.max(this.#probeStart, start);
    const to = Math.min(this.#probeStart + probeBytes, start + chunk.length);
    if (from < to) this.#probe = Buffer.concat([this.#probe, chunk.subarray(from - start, to - start)]);
  }

  #explain(cause: unknown): ProvisionError {
    return new ProvisionError('image_build_failed', `${this.#label} is not a whole raw disk with a GPT`, { cause });
  }
}

/** The first two rules for the root partition (provisioning.md, Image); the others need every file system's label. */
function likelyRoot(partitions: readonly GptPartition[]): GptPartition | undefined {
  const byType = partitions.filter(({ typeGuid }) => typeGuid === partitionTypes.linuxRootX8664);
  const byName = partitions.filter(({ name }) => name === 'root' || name === 'rootfs');
  const candidates = byType.length > 0 ? byType : byName;
  return candidates.length === 1 ? candidates[0] : undefined;
}

function fileSystemType(superblocks: Buffer): string | null {
  const has = (offset: number, text: string): boolean =>
    superblocks.subarray(offset, offset + text.length).toString('latin1') === text;
  if (has(0, 'XFSB')) return 'xfs';
  if (has(0x10040, '_BHRfS_M')) return 'btrfs';
  return has(0x438, '\x53\xef') ? 'ext4' : null;
}
