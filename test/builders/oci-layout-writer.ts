import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip, createZstdCompress } from 'node:zlib';
import { runCommand } from '../../core/base/run-command.ts';
import type { Descriptor, Platform } from '../../core/oci/types.ts';
import { createDigest } from '../../core/stream/digest.ts';
import type { Codec } from '../../core/stream/types.ts';

/** One layer: its uncompressed bytes (or a file of them) and how they are stored. */
export interface LayerSpec {
  readonly bytes?: Uint8Array;
  readonly file?: string;
  /** The blob exactly as it is stored, instead of compressing; `bytes` or `file` still give the diffID. */
  readonly stored?: Uint8Array;
  readonly codec: Codec;
  readonly mediaType?: string;
  /** Another diffID than the true one. */
  readonly diffId?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ImageSpec {
  readonly layers: readonly LayerSpec[];
  readonly labels?: Readonly<Record<string, string>>;
  /** In the config; null leaves it out. Default linux/amd64. */
  readonly platform?: Platform | null;
  /** Docker schema 2 media types instead of OCI's. */
  readonly docker?: boolean;
  /** The config's diff_ids instead of the layers' own; an empty list leaves them out. */
  readonly diffIds?: readonly string[];
}

export interface WrittenLayer extends Descriptor {
  readonly diffId: string;
  readonly unpackedBytes: number;
}

export interface WrittenImage {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly WrittenLayer[];
}

export interface IndexEntrySpec {
  readonly descriptor: Descriptor;
  readonly platform?: Platform | null;
  readonly annotations?: Readonly<Record<string, string>>;
}

const refNameAnnotation = 'org.opencontainers.image.ref.name';
const layerTypes: Readonly<Record<Codec, string>> = {
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  xz: 'application/vnd.durantic.disk.raw.v1+xz',
  none: 'application/vnd.oci.image.layer.v1.tar',
};

/** Writes an OCI image layout directory, blob by blob. Layers of any size are streamed. */
export class OciLayoutWriter {
  readonly dir: string;
  readonly #entries: object[] = [];

  constructor(dir: string) {
    this.dir = dir;
  }

  async putBlob(bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    await mkdir(join(this.dir, 'blobs', 'sha256'), { recursive: true });
    await writeFile(this.blobPath(digest), bytes);
    return { mediaType, digest, sizeBytes: bytes.length };
  }

  async putJson(value: object, mediaType: string): Promise<Descriptor> {
    return await this.putBlob(Buffer.from(JSON.stringify(value)), mediaType);
  }

  blobPath(digest: string): string {
    return join(this.dir, 'blobs', 'sha256', digest.slice('sha256:'.length));
  }

  async putLayer(spec: LayerSpec): Promise<WrittenLayer> {
    const blobs = join(this.dir, 'blobs', 'sha256');
    await mkdir(blobs, { recursive: true });
    const temporary = join(blobs, `.${randomUUID()}`);
    const unpacked = createDigest(null);
    await pipeline(sourceOf(spec), unpacked, compressor(spec.codec), createWriteStream(temporary));
    if (spec.codec === 'xz') await compressWithXz(temporary);
    const stored = spec.stored ? await this.putBlob(spec.stored, '') : await this.#adopt(temporary);
    if (spec.stored) await rm(temporary);
    const { digest, sizeBytes } = stored;
    const annotations = spec.annotations ? { annotations: spec.annotations } : {};
    const mediaType = spec.mediaType ?? layerTypes[spec.codec];
    return {
      mediaType,
      digest,
      sizeBytes,
      ...annotations,
      diffId: spec.diffId ?? unpacked.result(),
      unpackedBytes: unpacked.sizeBytes,
    };
  }

  async #adopt(file: string): Promise<{ digest: string; sizeBytes: number }> {
    const hash = createDigest(null);
    hash.resume();
    await pipeline(createReadStream(file), hash);
    await rename(file, this.blobPath(hash.result()));
    return { digest: hash.result(), sizeBytes: (await stat(this.blobPath(hash.result()))).size };
  }

  /** Layers, config and manifest of one image. */
  async putImage(spec: ImageSpec): Promise<WrittenImage> {
    const layers: WrittenLayer[] = [];
    for (const layer of spec.layers) layers.push(await this.putLayer(spec.docker ? asDockerLayer(layer) : layer));
    const diffIds = spec.diffIds ?? layers.map(({ diffId }) => diffId);
    const config = await this.putJson(
      {
        ...(spec.platform === null ? {} : (spec.platform ?? { os: 'linux', architecture: 'amd64' })),
        config: spec.labels ? { Labels: spec.labels } : {},
        ...(diffIds.length === 0 ? {} : { rootfs: { type: 'layers', diff_ids: diffIds } }),
      },
      spec.docker ? 'application/vnd.docker.container.image.v1+json' : 'application/vnd.oci.image.config.v1+json',
    );
    const mediaType = spec.docker
      ? 'application/vnd.docker.distribution.manifest.v2+json'
      : 'application/vnd.oci.image.manifest.v1+json';
    const manifest = await this.putJson(
      { schemaVersion: 2, mediaType, config: toJson(config), layers: layers.map(toJson) },
      mediaType,
    );
    return { manifest, config, layers };
  }

  async putIndex(entries: readonly IndexEntrySpec[], options: { docker?: boolean } = {}): Promise<Descriptor> {
    const mediaType = options.docker
      ? 'application/vnd.docker.distribution.manifest.list.v2+json'
      : 'application/vnd.oci.image.index.v1+json';
    return await this.putJson({ schemaVersion: 2, mediaType, manifests: entries.map(toIndexJson) }, mediaType);
  }

  /** What BuildKit puts beside an image: a manifest with platform unknown/unknown that refers to it. */
  async putAttestation(subject: Descriptor): Promise<IndexEntrySpec> {
    const statement = {
      bytes: Buffer.from('{"predicateType":"https://slsa.dev/provenance/v1"}'),
      codec: 'none',
    } as const;
    const { manifest } = await this.putImage({
      layers: [{ ...statement, mediaType: 'application/vnd.in-toto+json' }],
      platform: { os: 'unknown', architecture: 'unknown' },
    });
    return {
      descriptor: manifest,
      platform: { os: 'unknown', architecture: 'unknown' },
      annotations: {
        'vnd.docker.reference.type': 'attestation-manifest',
        'vnd.docker.reference.digest': subject.digest,
      },
    };
  }

  /** Adds an entry to the layout's `index.json`. */
  async addTag(tag: string | null, entry: IndexEntrySpec): Promise<void> {
    const annotations = { ...entry.annotations, ...(tag === null ? {} : { [refNameAnnotation]: tag }) };
    this.#entries.push(toIndexJson({ ...entry, annotations }));
    await mkdir(this.dir, { recursive: true });
    await writeFile(join(this.dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    await writeFile(join(this.dir, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: this.#entries }));
  }
}

function sourceOf(spec: LayerSpec): Readable {
  if (spec.file !== undefined) return createReadStream(spec.file, { highWaterMark: 1024 * 1024 });
  return Readable.from([Buffer.from(spec.bytes ?? new Uint8Array())]);
}

// xz is applied to the finished file: Node has no encoder for it.
function compressor(codec: Codec): Transform {
  if (codec === 'gzip') return createGzip({ level: 6 });
  return codec === 'zstd' ? createZstdCompress() : new PassThrough();
}

async function compressWithXz(file: string): Promise<void> {
  await runCommand('xz', ['-0', '--suffix=.xz', file]);
  await rename(`${file}.xz`, file);
}

function asDockerLayer(layer: LayerSpec): LayerSpec {
  const gzip = 'application/vnd.docker.image.rootfs.diff.tar.gzip';
  const plain = 'application/vnd.docker.image.rootfs.diff.tar';
  return { mediaType: layer.codec === 'gzip' ? gzip : plain, ...layer };
}

function toJson({ mediaType, digest, sizeBytes, annotations }: Descriptor): object {
  return { mediaType, digest, size: sizeBytes, ...(annotations ? { annotations } : {}) };
}

function toIndexJson({ descriptor, platform, annotations }: IndexEntrySpec): object {
  return {
    ...toJson(descriptor),
    ...(platform ? { platform } : {}),
    ...(annotations && Object.keys(annotations).length > 0 ? { annotations } : {}),
  };
}
