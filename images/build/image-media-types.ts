import type { Codec } from '../../core/stream/types.ts';

/** What `--compress` takes. */
export type LayerCodec = 'zstd' | 'gzip' | 'none';

const suffixes: Readonly<Record<LayerCodec, string>> = { zstd: '+zstd', gzip: '+gzip', none: '' };

export const rawDiskMediaType = 'application/vnd.durantic.disk.raw.v1';
export const tarLayerMediaType = 'application/vnd.oci.image.layer.v1.tar';
export const configMediaType = 'application/vnd.oci.image.config.v1+json';
export const manifestMediaType = 'application/vnd.oci.image.manifest.v1+json';

/** Media type of a layer blob (image-spec layer.md; docs/image-format.md for raw disks). */
export function layerMediaType(kind: 'disk' | 'tar', codec: LayerCodec): string {
  return `${kind === 'disk' ? rawDiskMediaType : tarLayerMediaType}${suffixes[codec]}`;
}

export function isLayerCodec(codec: Codec | string): codec is LayerCodec {
  return codec in suffixes;
}
