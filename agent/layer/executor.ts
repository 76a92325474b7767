import type { LayerEntry } from './plan-entry.ts';

export interface ExecutorTotals {
  readonly entries: number;
  readonly whiteouts: number;
  /** Data bytes written, holes not counted. */
  readonly fileBytes: number;
  readonly hidden: { readonly count: number; readonly example: string | null };
  /** Extended attributes that the filesystem has no support for. */
  readonly unsupportedXattrs: number;
}

/**
 * What makes planned entries real, in order. Calls may return at once and do the work later; a promise means: wait
 * before the next call. An error belongs to an earlier entry then, which it names. `write` and `endFile` follow a
 * `file` entry only.
 */
export interface LayerExecutor {
  begin(entry: LayerEntry): Promise<void> | undefined;
  /** The bytes must not change afterwards. */
  write(bytes: Buffer, offsetBytes: number): Promise<void> | undefined;
  endFile(): Promise<void> | undefined;
  /** Starts what is queued when nothing is under way; called when the input pauses. */
  kick(): void;
  /** Everything done, the folders' times restored. */
  finish(): Promise<ExecutorTotals>;
  /** So far. */
  fileBytes(): number;
  /** Stops what is under way and frees everything; safe to call at any time. */
  close(): Promise<void>;
}
