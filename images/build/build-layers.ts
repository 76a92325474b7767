import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { ProvisionError } from '../../core/base/errors.ts';
import { tarLevel } from './compressor.ts';
import type { BuiltLayer } from './image-documents.ts';
import { type LayerCodec, layerMediaType } from './image-media-types.ts';
import { makeDisk } from './make-disk.ts';
import { type DiskMeasure, MeasureDisk } from './measure-disk.ts';
import { MeasureTar, type TarMeasure } from './measure-tar.ts';
import { type Input, openFileInput, openInput } from './open-input.ts';
import { padding, tarEnd, tarHeader } from './tar-of-files.ts';
import { type WrittenBlob, writeBlob } from './write-blob.ts';

export interface LayerContext {
  readonly layout: string;
  readonly codec: LayerCodec;
  readonly clampMtime: number | null;
  readonly signal: AbortSignal;
}

export interface DiskLayer {
  readonly layer: BuiltLayer;
  readonly disk: DiskMeasure;
}

export interface TarLayer {
  readonly layer: BuiltLayer;
  readonly tar: TarMeasure;
}

/** A disk made here is zeros but for 2 MB, which compress in a second at the highest level; others may be large. */
const madeDiskLevel = 19;
const givenDiskLevel = 9;

const fileSuffixes: Readonly<Record<LayerCodec, string>> = { zstd: '.zst', gzip: '.gz', none: '' };

/**
 * Makes a disk and writes it as layer 0.
 * @throws what makeDisk and writeBlob throw.
 */
export async function makeDiskLayer(
  context: LayerContext,
  options: { sectorBytes: 512 | 4096; form: 'raw' | 'tar' },
): Promise<DiskLayer> {
  const file = join(context.layout, `.draft-${randomUUID()}`);
  try {
    await makeDisk({ file, sectorBytes: options.sectorBytes, signal: context.signal });
    const input: Input = { codec: 'none', stream: createReadStream(file, { highWaterMark: 512 * 1024 }) };
    const what = { label: 'the disk', level: madeDiskLevel, createdBy: 'durantic image build --make-disk' };
    return await writeDisk(context, input, { ...what, form: options.form });
  } finally {
    await rm(file, { force: true });
  }
}

/** Writes a given raw disk, compressed or not, as layer 0. */
export async function readDiskLayer(
  context: LayerContext,
  options: { file: string; form: 'raw' | 'tar' },
): Promise<DiskLayer> {
  const createdBy = `durantic image build --disk ${basename(options.file)}`;
  const what = { label: `the disk ${options.file}`, level: givenDiskLevel, createdBy, form: options.form };
  return await writeDisk(context, await openFileInput(options.file), what);
}

/** Writes a folder or tar as a layer. */
export async function readTarLayer(context: LayerContext, path: string, flag: string): Promise<TarLayer> {
  const label = `the layer ${path}`;
  const measure = new MeasureTar(label);
  const blob = await write(context, await openInput(path, context), { label, level: tarLevel, measure });
  return {
    layer: toLayer(blob, layerMediaType('tar', context.codec), `durantic image build ${flag} ${basename(path)}`),
    tar: measure.result(),
  };
}

interface DiskSource {
  readonly label: string;
  readonly level: number;
  readonly createdBy: string;
  readonly form: 'raw' | 'tar';
}

async function writeDisk(context: LayerContext, input: Input, source: DiskSource): Promise<DiskLayer> {
  const measure = new MeasureDisk(source.label);
  const blob = await write(context, input, { ...source, measure });
  const disk = measure.result();
  if (source.form === 'raw') {
    return { layer: toLayer(blob, layerMediaType('disk', context.codec), source.createdBy), disk };
  }
  const file = join(context.layout, 'blobs', 'sha256', blob.digest.slice('sha256:'.length));
  const wrapped = await wrapInTar(context, file, `disk.raw${fileSuffixes[context.codec]}`);
  await rm(file, { force: true });
  return { layer: toLayer(wrapped, layerMediaType('tar', context.codec), source.createdBy), disk };
}

/** The form that `COPY disk.raw.zst /` gives, which container tools can pull and build on. */
async function wrapInTar(context: LayerContext, file: string, name: string): Promise<WrittenBlob> {
  const { size } = await stat(file);
  async function* tar(): AsyncGenerator<Buffer> {
    yield tarHeader(name, size);
    yield* createReadStream(file);
    yield Buffer.concat([padding(size), tarEnd()]);
  }
  const input: Input = { codec: 'none', stream: Readable.from(tar(), { objectMode: false }) };
  return await write(context, input, { label: name, level: 1, measure: new PassThrough() });
}

async function write(
  context: LayerContext,
  input: Input,
  how: { label: string; level: number; measure: MeasureDisk | MeasureTar | PassThrough },
): Promise<WrittenBlob> {
  try {
    return await writeBlob(input.stream, {
      layout: context.layout,
      sourceCodec: input.codec,
      codec: context.codec,
      signal: context.signal,
      label: how.label,
      level: how.level,
      measure: how.measure,
    });
  } catch (cause) {
    if (!(cause instanceof ProvisionError) || cause.code !== 'codec_unsupported') throw cause;
    throw new ProvisionError('image_build_failed', `${how.label} is compressed in a way that cannot be read here`, {
      cause,
    });
  }
}

function toLayer(blob: WrittenBlob, mediaType: string, createdBy: string): BuiltLayer {
  return { mediaType, digest: blob.digest, sizeBytes: blob.sizeBytes, diffId: blob.diffId, createdBy };
}
