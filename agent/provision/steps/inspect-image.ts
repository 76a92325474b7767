import { ProvisionError } from '../../../core/base/errors.ts';
import type { ImageSource, Platform, ResolvedImage } from '../../../core/oci/types.ts';
import { layerLabel, type ProbedDiskLayer, type ProbedLayer, probeDiskLayer, probeLayer } from './probe-layer.ts';

/** An image that can be provisioned as far as its manifest and first bytes tell. */
export interface InspectedImage {
  readonly image: ResolvedImage;
  readonly disk: ProbedDiskLayer;
  /** Layers 1…, in order. */
  readonly layers: readonly ProbedLayer[];
  /** Compressed bytes of all layers. */
  readonly downloadBytes: number;
  /** The largest decoder window of any layer, in bytes: layers are decoded one after another. */
  readonly windowBytes: number;
  /** Unpacked bytes of layers 1… from the labels that `image build` writes; null when a layer has none. */
  readonly unpackedBytes: number | null;
}

export interface InspectImageOptions {
  readonly platform: Platform;
  /** Largest zstd window the machine can hold, in bytes. */
  readonly maxWindowBytes: number;
  readonly signal: AbortSignal;
  /** Told as soon as the manifest is verified, before the layers are looked at. */
  readonly onResolved?: (image: ResolvedImage) => void;
}

/**
 * Resolves the image, verifies manifest and config, and looks at the first bytes of every layer.
 * @throws ProvisionError `image_not_provisionable` with what is missing, and whatever the source throws.
 */
export async function inspectImage(source: ImageSource, options: InspectImageOptions): Promise<InspectedImage> {
  const image = await source.resolve(options.platform, { signal: options.signal });
  options.onResolved?.(image);
  const [first, ...rest] = image.layers;
  if (first === undefined)
    throw new ProvisionError('image_not_provisionable', 'the image has no layers, so it has no raw disk');
  const disk = await probeDiskLayer(source, first, options);
  const layers: ProbedLayer[] = [];
  for (const layer of rest) {
    if (layer.diffId === null) {
      throw new ProvisionError('manifest_invalid', `the image config has no diff_id for ${layerLabel(layer)}`);
    }
    layers.push(await probeLayer(source, layer, options));
  }
  const windows = [disk.codec, ...(disk.fileCodec === null ? [] : [disk.fileCodec])];
  const diskWindowBytes = windows.reduce((sum, codec) => sum + codec.windowBytes, 0);
  return {
    image,
    disk,
    layers,
    downloadBytes: image.layers.reduce((sum, layer) => sum + layer.sizeBytes, 0),
    windowBytes: Math.max(diskWindowBytes, ...layers.map(({ codec }) => codec.windowBytes)),
    unpackedBytes: sumUnpacked(image, layers),
  };
}

/** Label of `image build`: `durantic.unpacked.<first 12 hex digits of the diffID>=BYTES` (docs/image-format.md). */
export function unpackedBytesOf(image: ResolvedImage, layer: ProbedLayer): number | null {
  const hex = layer.layer.diffId?.replace(/^sha256:/, '').slice(0, 12);
  const value = hex === undefined ? undefined : image.labels[`durantic.unpacked.${hex}`];
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : null;
}

function sumUnpacked(image: ResolvedImage, layers: readonly ProbedLayer[]): number | null {
  let sum = 0;
  for (const layer of layers) {
    const bytes = unpackedBytesOf(image, layer);
    if (bytes === null) return null;
    sum += bytes;
  }
  return sum;
}
