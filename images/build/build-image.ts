import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProvisionError } from '../../core/base/errors.ts';
import type { Platform } from '../../core/oci/types.ts';
import { type BaseImage, takeBaseImage } from './base-image.ts';
import {
  type DiskLayer,
  type LayerContext,
  makeDiskLayer,
  readDiskLayer,
  readTarLayer,
  type TarLayer,
} from './build-layers.ts';
import { type BuildTarget, parseBuildTarget } from './build-target.ts';
import { type BuiltLayer, configDocument, manifestDocument, toJson, unpackedLabel } from './image-documents.ts';
import { type LayerCodec, manifestMediaType, rawDiskMediaType } from './image-media-types.ts';
import { openLayoutForWriting, tagManifest, writeSmallBlob } from './layout-writer.ts';
import { pushToRegistry, type RegistryAccess } from './skopeo.ts';

export interface BuildImageOptions extends RegistryAccess {
  /** A raw disk (compressed or not), `make` for ours, null for the base's. */
  readonly disk: { readonly kind: 'file'; readonly file: string } | { readonly kind: 'make' } | null;
  /** Layer 0 as a blob of its own media type, or as a file in a tar layer, which container tools can build on. */
  readonly diskForm: 'raw' | 'tar';
  /** Wanted sector size; null takes a given disk's own, and 512 for ours. */
  readonly sectorBytes: 512 | 4096 | null;
  /** Folder or tar of the root file system. */
  readonly root: string | null;
  /** Image to build on: registry reference or `oci:DIR[:TAG]`. */
  readonly from: string | null;
  /** Folders or tars, in order. */
  readonly layers: readonly string[];
  /** `oci:DIR[:TAG]` or `docker://REF`. */
  readonly to: string;
  readonly codec: LayerCodec;
  readonly labels: Readonly<Record<string, string>>;
  readonly platform: Platform;
  /** SOURCE_DATE_EPOCH: clamps times in folders and is the image's creation time. */
  readonly sourceDateEpoch: number | null;
  readonly onProgress?: (message: string) => void;
  readonly signal: AbortSignal;
}

export interface BuiltImage {
  readonly reference: string;
  readonly manifestDigest: string;
  readonly layers: readonly BuiltLayer[];
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Builds an OCI image from layer 0, root file system, base image and further layers: into a layout, or through a
 * temporary one to a registry. Memory does not grow with the image; the same input gives the same bytes.
 * @throws ProvisionError `usage`, `image_build_failed`, `tool_missing`, `tool_failed`, `registry_error`, …
 */
export async function buildImage(options: BuildImageOptions): Promise<BuiltImage> {
  const target = parseBuildTarget(options.to);
  assertBuildable(options);
  if (target.kind === 'layout') return await buildIntoLayout(options, target);
  const work = await mkdtemp(join(tmpdir(), 'durantic-image-'));
  try {
    const image = await buildIntoLayout(options, { kind: 'layout', dir: join(work, 'layout'), tag: 'push' });
    options.onProgress?.(`pushing to ${target.reference}`);
    await pushToRegistry({ ...options, reference: target.reference, layout: join(work, 'layout'), tag: 'push' });
    return { ...image, reference: target.reference };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** @throws ProvisionError `usage` for combinations that make no image. */
function assertBuildable(options: BuildImageOptions): void {
  if (options.disk === null && options.from === null) {
    throw new ProvisionError('usage', 'the image would have no layer 0: give --disk, --make-disk, or --from an image');
  }
  if (options.root !== null && options.from !== null) {
    throw new ProvisionError(
      'usage',
      '--root and --from exclude each other: what comes on top of an image is a --layer',
    );
  }
}

async function buildIntoLayout(
  options: BuildImageOptions,
  target: Extract<BuildTarget, { kind: 'layout' }>,
): Promise<BuiltImage> {
  const { codec, signal } = options;
  await openLayoutForWriting(target.dir);
  const context: LayerContext = { layout: target.dir, codec, clampMtime: options.sourceDateEpoch, signal };
  const base = options.from === null ? null : await takeBase(options, options.from, target.dir);
  const disk = await buildDisk(context, options);
  const added = await buildTars(context, options);
  const layers = [...(disk === null ? [] : [disk.layer]), ...(base?.layers ?? []), ...added.map(({ layer }) => layer)];
  const labels = { ...base?.labels, ...diskLabels(disk), ...unpackedLabels(added), ...options.labels };
  const config = toJson(
    configDocument({
      ...{ platform: options.platform, base: base?.config ?? null, layers, labels },
      inherited: { first: disk === null ? 0 : 1, count: base?.layers.length ?? 0 },
      createdAt: options.sourceDateEpoch,
    }),
  );
  await writeSmallBlob(target.dir, config);
  const manifest = toJson(manifestDocument(config, layers));
  const digest = await writeSmallBlob(target.dir, manifest);
  await tagManifest(target.dir, {
    ...{ digest, sizeBytes: manifest.length, mediaType: manifestMediaType, tag: target.tag },
    platform: options.platform,
  });
  return { reference: `oci:${target.dir}:${target.tag}`, manifestDigest: digest, layers, labels };
}

async function takeBase(options: BuildImageOptions, reference: string, layout: string): Promise<BaseImage> {
  options.onProgress?.(`taking the layers of ${reference}`);
  const base = await takeBaseImage({ ...options, reference, layout });
  const hasDisk = hasLayerZero(base);
  if (hasDisk && options.disk !== null) {
    throw new ProvisionError(
      'image_build_failed',
      `${reference} has a layer 0 already; leave out --disk and --make-disk`,
    );
  }
  return base;
}

/** True where the base says so; a disk inside a tar layer without labels is only found by reading it. */
function hasLayerZero(base: BaseImage): boolean {
  return (
    base.labels['durantic.disk.bytes'] !== undefined || base.layers[0]?.mediaType.startsWith(rawDiskMediaType) === true
  );
}

async function buildDisk(context: LayerContext, options: BuildImageOptions): Promise<DiskLayer | null> {
  const { disk, diskForm: form, sectorBytes } = options;
  if (disk === null) return null;
  if (disk.kind === 'make') {
    options.onProgress?.('making layer 0');
    return await makeDiskLayer(context, { sectorBytes: sectorBytes ?? 512, form });
  }
  options.onProgress?.(`reading the disk ${disk.file}`);
  const built = await readDiskLayer(context, { file: disk.file, form });
  if (sectorBytes !== null && sectorBytes !== built.disk.sectorBytes) {
    throw new ProvisionError(
      'image_build_failed',
      `${disk.file} is a disk of ${built.disk.sectorBytes}-byte sectors, and --sector-size says ${sectorBytes}`,
    );
  }
  return built;
}

async function buildTars(context: LayerContext, options: BuildImageOptions): Promise<TarLayer[]> {
  const added: TarLayer[] = [];
  const sources = options.layers.map((path) => ({ path, flag: '--layer' }));
  if (options.root !== null) sources.unshift({ path: options.root, flag: '--root' });
  for (const { path, flag } of sources) {
    options.onProgress?.(`packing ${path}`);
    added.push(await readTarLayer(context, path, flag));
  }
  return added;
}

function diskLabels(built: DiskLayer | null): Record<string, string> {
  if (built === null) return {};
  const { diskBytes, sectorBytes, rootType } = built.disk;
  return {
    'durantic.disk.bytes': String(diskBytes),
    'durantic.disk.sector-size': String(sectorBytes),
    ...(rootType === null ? {} : { 'durantic.root.type': rootType }),
  };
}

function unpackedLabels(layers: readonly TarLayer[]): Record<string, string> {
  return Object.fromEntries(
    layers.map(({ layer, tar }) => [unpackedLabel(layer.diffId), String(tar.unpackedBytes)] as const),
  );
}
