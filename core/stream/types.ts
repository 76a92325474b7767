/** Compression of a stream, recognised from its first bytes. */
export type Codec = 'gzip' | 'zstd' | 'xz' | 'none';

/** What the first bytes of a compressed stream tell. */
export interface CodecFacts {
  readonly codec: Codec;
  /** zstd: window size that the decoder needs, in bytes; 0 for other codecs. */
  readonly windowBytes: number;
}
