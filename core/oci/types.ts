import type { Readable } from 'node:stream';

/** An OCI content descriptor (image-spec descriptor.md); `size` is called `sizeBytes` here. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A layer of a resolved image. `diffId` is the digest of the uncompressed bytes; null where the config has none. */
export interface LayerDescriptor extends Descriptor {
  readonly index: number;
  readonly diffId: string | null;
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** An image whose manifest and config were fetched and verified. */
export interface ResolvedImage {
  /** The reference as the user gave it, without credentials. */
  readonly reference: string;
  /** Digest of the manifest that was chosen (for an index: of the platform's manifest). */
  readonly manifestDigest: string;
  readonly indexDigest: string | null;
  readonly mediaType: string;
  readonly platform: Platform;
  readonly labels: Readonly<Record<string, string>>;
  readonly layers: readonly LayerDescriptor[];
  /** The image config, for who needs more of it than the labels: `openBlob` gives its bytes. */
  readonly config: Descriptor;
  /** Things worth saying in the plan, e.g. a config without diff_ids for layer 0. */
  readonly notes: readonly string[];
}

export interface OpenBlobOptions {
  readonly signal: AbortSignal;
  /** First byte wanted; default 0. */
  readonly offsetBytes?: number;
  /** How many bytes; default to the end. */
  readonly lengthBytes?: number;
  /** Nothing has been written yet: whoever waits shall hear within about a minute that it does not work. Default false. */
  readonly isFirstLook?: boolean;
  /** Told about every resume: a connection dropped, stalled or expired and was taken up again. */
  readonly onResume?: (facts: { atBytes: number; attempt: number; reason: string }) => void;
}

/** Where an image's bytes come from: a registry or an OCI layout directory. */
export interface ImageSource {
  /** For people: `registry.example/os/debian:12`; never holds credentials. */
  readonly description: string;
  /** Fetches, verifies and resolves index, manifest and config. */
  resolve(platform: Platform, options: { readonly signal: AbortSignal }): Promise<ResolvedImage>;
  /**
   * The blob's bytes as they are stored, resumed where a connection drops (provisioning.md, invariant 4). The stream
   * is an error when it cannot deliver exactly the bytes asked for. It does not verify the digest: the consumer's
   * digest adapter does.
   */
  openBlob(descriptor: Descriptor, options: OpenBlobOptions): Readable;
  close(): Promise<void>;
}
