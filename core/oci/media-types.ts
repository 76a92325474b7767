/** Media types of manifests and configs (image-spec media-types.md; distribution "Image Manifest V2, Schema 2"). */
export const indexMediaTypes: readonly string[] = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];

export const manifestMediaTypes: readonly string[] = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

const schema1MediaTypes: readonly string[] = [
  'application/vnd.docker.distribution.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
];

/** What a registry is asked for. */
export const acceptedManifests = [...indexMediaTypes, ...manifestMediaTypes].join(', ');

export function isSchema1(mediaType: string): boolean {
  return schema1MediaTypes.includes(mediaType);
}

/** True for layers whose bytes a registry need not have, or that cannot be read without a key. */
export function unsupportedLayerReason(mediaType: string): string | null {
  if (mediaType.includes('+encrypted')) return 'is encrypted';
  if (mediaType.includes('.foreign.') || mediaType.includes('nondistributable')) {
    return 'is a foreign (nondistributable) layer, whose bytes are not in the registry';
  }
  return null;
}
