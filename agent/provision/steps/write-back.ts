const mib = 1024 * 1024;

export interface WriteBackOptions {
  /** Flushes everything written so far, e.g. syncfs(2) of the root filesystem. */
  readonly flush: () => Promise<void>;
  /** A flush starts when this many bytes were written since the last one. */
  readonly startBytes?: number;
  /** Writing waits when more than this is not on the medium yet. */
  readonly limitBytes?: number;
}

/**
 * Early write-back: keeps what was written within `limitBytes` (default 128 MiB) of the medium, so that progress is
 * true and the last flush is short. One flush is under way at a time, beside the writing.
 */
export class WriteBack implements AsyncDisposable {
  readonly #options: Required<WriteBackOptions>;
  #writtenBytes = 0;
  #flushedBytes = 0;
  #underWay: Promise<void> | null = null;
  #failure: unknown = null;

  constructor(options: WriteBackOptions) {
    this.#options = { startBytes: 64 * mib, limitBytes: 128 * mib, ...options };
  }

  /** Bytes that are known to be on the medium. */
  get flushedBytes(): number {
    return this.#flushedBytes;
  }

  /** Told after bytes were handed to the kernel. Resolves when writing may go on; throws what a flush threw. */
  async wrote(bytes: number): Promise<void> {
    this.#writtenBytes += bytes;
    if (this.#failure !== null) throw this.#failure;
    if (this.#underWay === null && this.#writtenBytes - this.#flushedBytes >= this.#options.startBytes) this.#start();
    while (this.#underWay !== null && this.#writtenBytes - this.#flushedBytes > this.#options.limitBytes) {
      await this.#underWay;
      if (this.#failure !== null) throw this.#failure;
    }
  }

  /** Waits for the flush under way, if there is one. */
  async settle(): Promise<void> {
    await this.#underWay;
    if (this.#failure !== null) throw this.#failure;
  }

  /** Waits for the flush under way, whatever becomes of it: what it flushes must stay open until then. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#underWay;
  }

  #start(): void {
    const upToBytes = this.#writtenBytes;
    this.#underWay = this.#options
      .flush()
      .then(() => {
        this.#flushedBytes = upToBytes;
      })
      .catch((error: unknown) => {
        this.#failure = error;
      })
      .finally(() => {
        this.#underWay = null;
      });
  }
}
