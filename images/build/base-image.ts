import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { ProvisionError } from '../../core/base/errors.ts';
import { openLayoutSource } from '../../core/oci/layout-source.ts';
import { parseReference } from '../../core/oci/reference.ts';
import { openRegistrySource } from '../../core/oci/registry-source.ts';
import { verifyBytes } from '../../core/oci/resolve-image.ts';
import type { ImageSource, LayerDescriptor, Platform } from '../../core/oci/types.ts';
import type { BuiltLayer, ConfigDocument } from './image-documents.ts';
import type { RegistryAccess } from './skopeo.ts';
import { writeBlob } from './write-blob.ts';

/** An image whose layers and labels a new one takes over. */
export interface BaseImage {
  readonly labels: Readonly<Record<string, string>>;
  readonly config: ConfigDocument;
  readonly layers: readonly BuiltLayer[];
}

const dockerMediaTypes: Readonly<Record<string, string>> = {
  'application/vnd.docker.image.rootfs.diff.tar': 'application/vnd.oci.image.layer.v1.tar',
  'application/vnd.docker.image.rootfs.diff.tar.gzip': 'application/vnd.oci.image.layer.v1.tar+gzip',
  'application/vnd.docker.image.rootfs.diff.tar.zstd': 'application/vnd.oci.image.layer.v1.tar+zstd',
};

export interface TakeBaseOptions extends RegistryAccess {
  readonly reference: string;
  readonly platform: Platform;
  /** The layout that the base's blobs are copied into, each verified. */
  readonly layout: string;
  readonly signal: AbortSignal;
}

/**
 * Copies the layers of an image (registry or OCI layout) into the layout as they are, and tells what they are.
 * @throws ProvisionError `image_not_found`, `platform_not_found`, `digest_mismatch`, `image_build_failed`, …
 */
export async function takeBaseImage(options: TakeBaseOptions): Promise<BaseImage> {
  const source = await openSource(options);
  try {
    const { signal } = options;
    const image = await source.resolve(options.platform, { signal });
    const layers: BuiltLayer[] = [];
    for (const layer of image.layers) layers.push(await takeLayer(source, layer, options));
    const config = await buffer(source.openBlob(image.config, { signal }));
    verifyBytes(config, image.config, `the config of ${options.reference}`);
    return { labels: image.labels, config: JSON.parse(config.toString('utf8')), layers };
  } finally {
    await source.close();
  }
}

async function openSource(options: TakeBaseOptions): Promise<ImageSource> {
  const reference = parseReference(options.reference.replace(/^docker:\/\//, ''));
  if (reference.kind === 'layout') return await openLayoutSource(reference.dir, reference.tag);
  return await openRegistrySource(reference, {
    plainHttp: options.plainHttp,
    caFile: options.registryCaFile ?? undefined,
    signal: options.signal,
  });
}

async function takeLayer(source: ImageSource, layer: LayerDescriptor, options: TakeBaseOptions): Promise<BuiltLayer> {
  const { digest, diffId, mediaType, sizeBytes } = layer;
  const label = `layer ${layer.index} of ${options.reference}`;
  if (diffId === null) {
    throw new ProvisionError(
      'image_build_failed',
      `the config of ${options.reference} names no diffID for layer ${layer.index}, so nothing can be built on it`,
    );
  }
  const { layout, signal } = options;
  await writeBlob(source.openBlob(layer, { signal }), {
    ...{ layout, label, signal, level: 1, measure: new PassThrough(), expectedDigest: digest },
    ...{ sourceCodec: 'none', codec: 'none' },
  });
  return { mediaType: dockerMediaTypes[mediaType] ?? mediaType, digest, sizeBytes, diffId, createdBy: label };
}
