import { Readable } from 'node:stream';
import { ProvisionError } from '../../../core/base/errors.ts';
import type { ImageSource, LayerDescriptor } from '../../../core/oci/types.ts';
import { createDecompress } from '../../../core/stream/decompress.ts';
import { createProgressMeter } from '../../../core/stream/progress-meter.ts';
import { sniffCodec } from '../../../core/stream/sniff-codec.ts';
import type { CodecFacts } from '../../../core/stream/types.ts';
import { detectGpt } from '../../disk/gpt.ts';
import type { Gpt } from '../../disk/types.ts';
import { soleFile } from './sole-file.ts';

/** How much of the raw disk is looked at before anything is written: what precedes the first partition, at most. */
export const headBytes = 1024 * 1024;

/** Enough for the magic numbers, a zstd frame header and a tar header. */
const sniffBytes = 4096;

/** How much of a compressed tar layer 0 is downloaded before anything is written, to see that it holds one file. */
const lookBehindBytes = 64 * 1024 * 1024;

/** A layer of which the first bytes were read. */
export interface ProbedLayer {
  readonly layer: LayerDescriptor;
  readonly label: string;
  readonly codec: CodecFacts;
}

/** Layer 0: how the raw disk is wrapped, and its first MiB. */
export interface ProbedDiskLayer extends ProbedLayer {
  /** Set when the raw disk is the one file of a tar layer: the file's own compression. */
  readonly fileCodec: CodecFacts | null;
  readonly head: Buffer;
  readonly gpt: Gpt;
  /** Size of the raw disk, from its backup header's LBA. */
  readonly diskBytes: number;
}

export interface ProbeOptions {
  readonly maxWindowBytes: number;
  readonly signal: AbortSignal;
}

/** `layer 2 (sha256:0123456789ab)`: how messages name a layer. */
export function layerLabel(layer: LayerDescriptor): string {
  return `layer ${layer.index} (${layer.digest.slice(0, 19)})`;
}

/** Reads the first bytes of a layer and tells its codec. */
export async function probeLayer(
  source: ImageSource,
  layer: LayerDescriptor,
  options: ProbeOptions,
): Promise<ProbedLayer> {
  const label = layerLabel(layer);
  if (layer.sizeBytes === 0) throw new ProvisionError('image_not_provisionable', `${label} is empty`);
  const lengthBytes = Math.min(sniffBytes, layer.sizeBytes);
  const blob = source.openBlob(layer, { signal: options.signal, lengthBytes, isFirstLook: true });
  const codec = sniffCodec(await readPrefix(blob, lengthBytes));
  if (codec.codec === 'xz') {
    throw new ProvisionError(
      'codec_unsupported',
      `${label} is compressed with xz, which this version cannot read; use zstd or gzip`,
    );
  }
  return { layer, label, codec };
}

/**
 * Reads layer 0 up to the first MiB of the raw disk, in memory.
 * @throws ProvisionError `image_not_provisionable` when there is no raw disk with a GPT in it.
 */
export async function probeDiskLayer(
  source: ImageSource,
  layer: LayerDescriptor,
  options: ProbeOptions,
): Promise<ProbedDiskLayer> {
  const probed = await probeLayer(source, layer, options);
  const open = (): AsyncIterable<Buffer> => openDecompressed(source, probed, options);
  let head = await readPrefix(open(), headBytes);
  let fileCodec: CodecFacts | null = null;
  if (!isRawDisk(head)) {
    if (!isTar(head)) throw noRawDisk(probed.label, 'it is neither a raw disk nor a tar archive');
    fileCodec = sniffCodec(await readSoleFile(source, probed, options));
    if (fileCodec.codec === 'xz') {
      throw new ProvisionError(
        'codec_unsupported',
        `the raw disk in ${probed.label} is compressed with xz, which this version cannot read; use zstd or gzip`,
      );
    }
    head = await readPrefix(openFile(open(), probed.label, fileCodec, options), headBytes);
    if (!isRawDisk(head)) throw noRawDisk(probed.label, 'its first file is not a raw disk with a GPT');
  }
  const gpt = detectGpt(head);
  return { ...probed, fileCodec, head, gpt, diskBytes: (gpt.backupLba + 1) * gpt.sectorBytes };
}

/**
 * The first bytes of the one file of a tar layer, which is read on to its end: what else a squashed image holds comes
 * behind. A large layer is read in part only, and the rest checked while it is written.
 */
async function readSoleFile(source: ImageSource, probed: ProbedLayer, options: ProbeOptions): Promise<Buffer> {
  const prefix: Buffer[] = [];
  let [prefixBytes, blobBytes] = [0, 0];
  const onBlobBytes = (bytes: number): void => {
    blobBytes = bytes;
  };
  for await (const chunk of soleFile(openDecompressed(source, probed, options, onBlobBytes), probed.label)) {
    if (prefixBytes < sniffBytes) prefix.push(chunk);
    prefixBytes += chunk.length;
    if (blobBytes > lookBehindBytes && prefixBytes >= sniffBytes) break;
  }
  return Buffer.concat(prefix).subarray(0, sniffBytes);
}

function openDecompressed(
  source: ImageSource,
  probed: ProbedLayer,
  options: ProbeOptions,
  onBlobBytes: (bytes: number) => void = () => undefined,
): AsyncIterable<Buffer> {
  const blob = source.openBlob(probed.layer, { signal: options.signal, isFirstLook: true });
  const meter = createProgressMeter(onBlobBytes);
  return piped(
    piped(blob, meter),
    createDecompress(probed.codec.codec, decompressOptions(probed.label, probed.codec, options)),
  );
}

function openFile(
  tar: AsyncIterable<Buffer>,
  label: string,
  codec: CodecFacts,
  options: ProbeOptions,
): AsyncIterable<Buffer> {
  const decompress = createDecompress(codec.codec, decompressOptions(`the raw disk in ${label}`, codec, options));
  return piped(Readable.from(soleFile(tar, label), { objectMode: false }), decompress);
}

function decompressOptions(label: string, codec: CodecFacts, options: ProbeOptions) {
  return { label, windowBytes: codec.windowBytes, maxWindowBytes: options.maxWindowBytes };
}

/** `source` through `transform`; an error of the source ends the transform, and an early end destroys both. */
function piped(source: Readable, transform: NodeJS.ReadWriteStream & Readable): Readable {
  source.once('error', (error) => transform.destroy(error));
  transform.once('close', () => source.destroy());
  source.pipe(transform);
  return transform;
}

async function readPrefix(source: AsyncIterable<Buffer>, lengthBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let total = 0;
  for await (const chunk of source) {
    parts.push(chunk);
    total += chunk.length;
    if (total >= lengthBytes) break;
  }
  return Buffer.concat(parts).subarray(0, lengthBytes);
}

function isRawDisk(head: Buffer): boolean {
  return [512, 4096].some((sector) => head.subarray(sector, sector + 8).toString('latin1') === 'EFI PART');
}

/** POSIX ustar or GNU magic (tar(5)); the archives of container tools all carry one of them. */
function isTar(head: Buffer): boolean {
  return head.subarray(257, 262).toString('latin1') === 'ustar';
}

function noRawDisk(label: string, why: string): ProvisionError {
  return new ProvisionError(
    'image_not_provisionable',
    `${label} holds no raw disk: ${why}; layer 0 must be a raw disk with a GPT, compressed or not, alone or as the one file of a tar layer`,
  );
}
