/** Bytes that can be served as a whole or in parts. Whoever opens one disposes of it. */
export interface ByteSource extends AsyncDisposable {
  readonly sizeBytes: number;
  /** In quotes (RFC 9110, section 8.8.3); another one when the bytes are others. */
  readonly etag: string;
  readonly modifiedMs: number;
  /** The bytes from `start` up to but not including `end`. Throws before the last of them when they changed meanwhile. */
  read(start: number, end: number): AsyncIterable<Uint8Array>;
}
