import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { ProvisionError } from '../../core/base/errors.ts';
import { openLayoutSource } from '../../core/oci/layout-source.ts';
import { parseReference } from '../../core/oci/reference.ts';
import type { Platform } from '../../core/oci/types.ts';
import type { BuiltLayer, ConfigDocument } from './image-documents.ts';
import { copyFromRegistry, type RegistryAccess } from './skopeo.ts';
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
 * Copies the layers of an image (registry or OCI layout) into the layout and tells what they are.
 * @throws ProvisionError `image_not_found`, `platform_not_found`, `digest_mismatch`, `tool_missing` (skopeo), …
 */
export async function takeBaseImage(options: TakeBaseOptions): Promise<BaseImage> {
  const reference = parseReference(options.reference.replace(/^docker:\/\//, ''));
  if (reference.kind === 'layout') return await takeFromLayout(reference.dir, reference.tag, options);
  const work = await mkdtemp(join(tmpdir(), 'durantic-base-'));
  try {
    const pulled = join(work, 'layout');
    await copyFromRegistry({ ...options, reference: reference.canonical, layout: pulled, tag: 'base' });
    return await takeFromLayout(pulled, 'base', options);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function takeFromLayout(dir: string, tag: string | null, options: TakeBaseOptions): Promise<BaseImage> {
  const { signal } = options;
  const image = await (await openLayoutSource(dir, tag)).resolve(options.platform, { signal });
  const layers: BuiltLayer[] = [];
  for (const { index, digest, diffId, mediaType, sizeBytes } of image.layers) {
    if (diffId === null) {
      throw new ProvisionError(
        'image_build_failed',
        `the config of ${options.reference} does not name layer ${index} (no diffID), so nothing can be built on it`,
      );
    }
    const label = `layer ${index} of ${options.reference}`;
    // The blob is copied as it is, and both its digests are computed on the way.
    const blob = await writeBlob(createReadStream(join(dir, 'blobs', 'sha256', hex(digest))), {
      ...{ layout: options.layout, label, signal, level: 1, measure: new PassThrough() },
      ...{ sourceCodec: 'none', codec: 'none' },
    });
    if (blob.digest !== digest) {
      throw new ProvisionError('digest_mismatch', `${label} is not what its digest ${digest} says`);
    }
    layers.push({ mediaType: dockerMediaTypes[mediaType] ?? mediaType, digest, sizeBytes, diffId, createdBy: label });
  }
  return { labels: image.labels, config: await readConfig(dir, image.manifestDigest), layers };
}

/** The whole config, of which a resolved image keeps only what an installation needs. It was verified by resolving. */
async function readConfig(dir: string, manifestDigest: string): Promise<ConfigDocument> {
  const manifest = await readJson(dir, manifestDigest);
  const config = manifest['config'];
  if (typeof config === 'object' && config !== null && 'digest' in config && typeof config.digest === 'string') {
    return await readJson(dir, config.digest);
  }
  throw new ProvisionError('manifest_invalid', `the manifest ${manifestDigest} names no config`);
}

async function readJson(dir: string, digest: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(dir, 'blobs', 'sha256', hex(digest)), 'utf8'));
}

function hex(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1);
}
