import { createReadStream, createWriteStream, readFileSync, statSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PassThrough, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { runCommand } from '../../../core/base/run-command.ts';
import { OciLayoutWriter } from '../../builders/oci-layout-writer.ts';
import { Resources } from '../../resources.ts';
import { readTree, type Tree } from '../../tree.ts';

interface Document {
  readonly manifests: readonly { readonly digest: string; readonly annotations?: Readonly<Record<string, string>> }[];
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string; readonly mediaType: string }[];
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

/** A layer as it lies in a layout: its blob, how that is compressed, and what it is without compression. */
export interface LayoutLayer {
  readonly file: string;
  readonly mediaType: string;
  readonly diffId: string;
}

/** The layers of the image `oci:DIR:TAG`, read from its documents without our own client. */
export function layersOfLayout(reference: string): LayoutLayer[] {
  const [, dir = '', tag = ''] = /^oci:(.*):([^:/]+)$/.exec(reference) ?? [];
  const blob = (digest: string): string => join(dir, 'blobs', digest.replace(':', '/'));
  const read = (file: string): Document => JSON.parse(readFileSync(file, 'utf8'));
  const { manifests } = read(join(dir, 'index.json'));
  const entry = manifests.find(({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === tag);
  if (entry === undefined) throw new Error(`${dir} has no tag ${tag}`);
  const manifest = read(blob(entry.digest));
  const { diff_ids: diffIds } = read(blob(manifest.config.digest)).rootfs;
  return manifest.layers.map(({ digest, mediaType }, index) => {
    return { file: blob(digest), mediaType, diffId: diffIds[index] ?? '' };
  });
}

/** A filesystem in a file on which trusted and security xattrs, device nodes and foreign owners are possible. */
export async function mountScratch(resources: Resources, sizeBytes: number): Promise<string> {
  const file = resources.sparseFile(sizeBytes, 'scratch.raw');
  await runCommand('mkfs.ext4', ['-q', '-F', '-N', '400000', file]);
  return await resources.mount(await resources.loop(file), { options: 'noatime' });
}

/**
 * The tree that `umoci unpack` makes of layers 1… of an image. The layers are given to it uncompressed, which
 * umoci 0.4.7 reads as well as gzip; it verifies their digests, which are the diffIDs.
 */
export async function umociTree(layers: readonly LayoutLayer[], scratch: string): Promise<Tree> {
  const [layout, bundle] = [join(scratch, 'layout'), join(scratch, 'bundle')];
  const writer = new OciLayoutWriter(layout);
  for (const layer of layers) await unpackBlob(layer, writer.blobPath(layer.diffId));
  const config = await writer.putJson(
    {
      os: 'linux',
      architecture: 'amd64',
      config: {},
      rootfs: { type: 'layers', diff_ids: layers.map((l) => l.diffId) },
    },
    'application/vnd.oci.image.config.v1+json',
  );
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const layerType = 'application/vnd.oci.image.layer.v1.tar';
  const blobs = layers.map(({ diffId: digest }) => {
    return { mediaType: layerType, digest, size: statSync(writer.blobPath(digest)).size };
  });
  const manifest = await writer.putJson(
    { schemaVersion: 2, mediaType, config: { ...config, size: config.sizeBytes }, layers: blobs },
    mediaType,
  );
  await writer.addTag('latest', { descriptor: manifest });
  await runCommand('umoci', ['unpack', '--image', `${layout}:latest`, bundle]);
  const tree = readTree(join(bundle, 'rootfs'));
  await Promise.all([layout, bundle].map((dir) => rm(dir, { recursive: true })));
  return tree;
}

async function unpackBlob({ file, mediaType }: LayoutLayer, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  await pipeline(
    createReadStream(file, { highWaterMark: 1024 * 1024 }),
    decompressor(mediaType),
    createWriteStream(target),
  );
}

function decompressor(mediaType: string): Transform {
  if (mediaType.endsWith('+zstd')) return createZstdDecompress({ chunkSize: 1024 * 1024 });
  return /gzip$/.test(mediaType) ? createGunzip({ chunkSize: 1024 * 1024 }) : new PassThrough();
}

/** What layer 0 brings to the root beside the layers: GRUB's modules, `lost+found`. */
export async function layerZeroTree(layer: LayoutLayer): Promise<Tree> {
  await using resources = new Resources();
  const file = join(resources.tempDir(), 'disk.raw');
  await unpackBlob(layer, file);
  const device = await resources.loop(file, { readOnly: true });
  await runCommand('partx', ['-a', device]);
  const root = await resources.mount(`${device}p3`, { type: 'ext4', options: 'ro,noload' });
  return readTree(root);
}
