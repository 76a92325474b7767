import type { Readable } from 'node:stream';

/** Told while a layer is extracted; bytes are uncompressed tar bytes consumed so far. */
export interface LayerProgress {
  readonly tarBytes: number;
  readonly fileBytes: number;
  readonly entries: number;
}

export interface ExtractLayerOptions {
  /** Absolute path of the mounted root; nothing outside it is ever touched. */
  readonly root: string;
  /** Which layer, for messages: `layer 3 (sha256:abcd…)`. */
  readonly label: string;
  readonly signal: AbortSignal;
  /**
   * Paths (relative to the root, no leading slash) on which something else is mounted or will be: entries below are
   * extracted into the root filesystem but stay hidden, and are counted.
   */
  readonly hiddenBelow?: readonly string[];
  readonly onProgress?: (progress: LayerProgress) => void;
  /**
   * Called after file data was handed to the kernel, with the running total: resolves when enough of it is on the
   * medium (early write-back).
   */
  readonly afterWrite?: (fileBytesTotal: number) => Promise<void> | void;
}

export interface LayerResult {
  readonly entries: number;
  readonly fileBytes: number;
  readonly whiteouts: number;
  /** Entries below `hiddenBelow`, with one example, for a warning. */
  readonly hidden: { readonly count: number; readonly example: string | null };
  /** Things the operator should know (e.g. xattr of an unsupported namespace that umoci skips as well). */
  readonly warnings: readonly string[];
}

/** Extracts one uncompressed tar stream. Consumes the stream to its very end, also past the tar's end marker. */
export type ExtractLayer = (tar: Readable, options: ExtractLayerOptions) => Promise<LayerResult>;
