import type { LayerRunError, Native, NativeLayer } from '../native/native.ts';
import { type LayerContext, layerError } from './layer-error.ts';
import { LayerProgram, type Place, placeAt } from './layer-program.ts';

/** A batch is handed over at this much data or program, so that at most twice as much is held. */
const largestBatchBytes = 2 * 1024 * 1024;
/** A small piece keeps its whole chunk in memory. */
const mostChunks = 64;

export interface ProgramRunnerOptions {
  readonly native: Native;
  readonly layer: NativeLayer;
  readonly context: LayerContext;
  /** A folder stands where a record wants to create something else: removes it with all that is below. */
  readonly clearTree: (place: Place) => Promise<void>;
  readonly afterWrite?: ((fileBytesTotal: number) => Promise<void> | void) | undefined;
}

interface Batch {
  readonly program: LayerProgram;
  /** Which entry the records from `offset` on belong to. */
  readonly owners: { readonly offset: number; readonly archiveName: string }[];
  dataBytes: number;
}

/**
 * Runs programs one after the other on a thread of the pool while the next one is written. The first error stays: every
 * later call throws it.
 */
export class ProgramRunner {
  readonly #options: ProgramRunnerOptions;
  #queued: Batch = emptyBatch();
  /** The buffer of the program that ran last, to be written again. */
  #spare: LayerProgram | undefined;
  #running: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #writtenBytes = 0;
  unsupportedXattrs = 0;

  constructor(options: ProgramRunnerOptions) {
    this.#options = options;
  }

  get program(): LayerProgram {
    return this.#queued.program;
  }

  /** Names the entry that the records to come belong to. */
  own(archiveName: string): void {
    this.#queued.owners.push({ offset: this.#queued.program.lengthBytes, archiveName });
  }

  addData(lengthBytes: number): void {
    this.#queued.dataBytes += lengthBytes;
  }

  /** Hands a full batch over; a promise when the one before is still running. */
  throttle(): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure.error;
    const { program, dataBytes } = this.#queued;
    if (dataBytes + program.lengthBytes < largestBatchBytes && program.chunks.length < mostChunks) return undefined;
    if (this.#running === undefined) {
      this.#start();
      return undefined;
    }
    return this.#startAfterRunning();
  }

  kick(): void {
    const isEmpty = this.#queued.program.lengthBytes === 0;
    if (!isEmpty && this.#running === undefined && this.#failure === undefined) this.#start();
  }

  /** Everything that was queued is done. */
  async drain(): Promise<void> {
    for (;;) {
      await this.#running;
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#queued.program.lengthBytes === 0) return;
      this.#start();
    }
  }

  /** Waits for the running batch whatever its outcome; what is queued is dropped. */
  async settle(): Promise<void> {
    this.#queued = emptyBatch();
    await this.#running;
  }

  async #startAfterRunning(): Promise<void> {
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#start();
  }

  #start(): void {
    const batch = this.#queued;
    this.#queued = emptyBatch(this.#spare, batch.owners.at(-1)?.archiveName);
    this.#spare = undefined;
    this.#running = this.#run(batch)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  async #run(batch: Batch): Promise<void> {
    const { native, layer, context, afterWrite } = this.#options;
    const bytes = batch.program.bytes();
    for (let offset = 0; ; ) {
      try {
        const { unsupportedXattrs } = await native.layerRun(layer, bytes, offset, batch.program.chunks);
        this.unsupportedXattrs += unsupportedXattrs;
        break;
      } catch (cause) {
        const archiveName = ownerAt(batch, cause);
        if (!isTreeInTheWay(cause)) throw layerError(cause, context, archiveName);
        this.unsupportedXattrs += cause.unsupportedXattrs;
        offset = cause.offset;
        await this.#options.clearTree(placeAt(bytes, offset)).catch((error: unknown) => {
          throw layerError(error, context, archiveName);
        });
      }
    }
    batch.program.clear();
    this.#spare = batch.program;
    this.#writtenBytes += batch.dataBytes;
    if (batch.dataBytes > 0) await afterWrite?.(this.#writtenBytes);
  }
}

/** A file's records may go on in the next batch, which then belongs to the same entry. */
function emptyBatch(spare?: LayerProgram, archiveName?: string): Batch {
  const owners = archiveName === undefined ? [] : [{ offset: 0, archiveName }];
  return { program: spare ?? new LayerProgram(), owners, dataBytes: 0 };
}

/** unlink(2) on a folder says EISDIR: see make_room in layer-operations.c. */
function isTreeInTheWay(cause: unknown): cause is LayerRunError {
  if (!(cause instanceof Error) || !('offset' in cause) || !('syscall' in cause) || !('code' in cause)) return false;
  return cause.syscall === 'unlinkat' && cause.code === 'EISDIR';
}

function ownerAt(batch: Batch, cause: unknown): string {
  const offset = cause instanceof Error && 'offset' in cause ? Number(cause.offset) : 0;
  return batch.owners.findLast((owner) => owner.offset <= offset)?.archiveName ?? '(unknown)';
}
