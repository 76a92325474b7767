import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describeDescriptor } from '../../core/oci/describe-descriptor.ts';
import type { ImageSource, LayerDescriptor, OpenBlobOptions } from '../../core/oci/types.ts';
import { createDecompress } from '../../core/stream/decompress.ts';
import { createDigest } from '../../core/stream/digest.ts';
import type { Codec } from '../../core/stream/types.ts';

export interface DownloadedLayer {
  readonly unpackedBytes: number;
  readonly resumes: readonly { atBytes: number; attempt: number; reason: string }[];
}

/** The chain that every layer goes through: blob → digest → decompress → diffID, all verified, contents dropped. */
export async function downloadLayer(
  source: ImageSource,
  layer: LayerDescriptor,
  codec: Codec,
  options: Partial<OpenBlobOptions> = {},
): Promise<DownloadedLayer> {
  const resumes: { atBytes: number; attempt: number; reason: string }[] = [];
  const signal = options.signal ?? new AbortController().signal;
  const label = describeDescriptor(layer);
  const packed = createDigest(layer.digest);
  const unpacked = createDigest(layer.diffId);
  const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
  const blob = source.openBlob(layer, { signal, onResume: (facts) => resumes.push(facts), ...options });
  await pipeline(blob, packed, createDecompress(codec, { label }), unpacked, sink);
  packed.verify({ ...layer, label });
  unpacked.verify({ digest: layer.diffId, sizeBytes: null, label, mismatchCode: 'diff_id_mismatch' });
  return { unpackedBytes: unpacked.sizeBytes, resumes };
}
