import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { abortError } from '../base/abort.ts';
import { errnoOf, ProvisionError } from '../base/errors.ts';
import { parseDigest } from '../stream/parse-digest.ts';
import { blobRange } from './blob-range.ts';
import { describeDescriptor } from './describe-descriptor.ts';
import { indexMediaTypes } from './media-types.ts';
import { type IndexEntry, parseLayoutIndex } from './parse-manifest.ts';
import {
  largestConfigBytes,
  largestManifestBytes,
  type ManifestReader,
  type RootDocument,
  resolveImage,
  verifyBytes,
} from './resolve-image.ts';
import type { Descriptor, ImageSource, OpenBlobOptions, Platform } from './types.ts';

const readBytes = 512 * 1024;
const refNameAnnotation = 'org.opencontainers.image.ref.name';

/**
 * An OCI image layout directory (image-spec image-layout.md) as an image source. Without a tag, all entries of
 * `index.json` are candidates, chosen by platform.
 * @throws ProvisionError `image_not_found` when the folder is not a layout.
 */
export async function openLayoutSource(dir: string, tag: string | null): Promise<ImageSource> {
  const description = `oci:${dir}${tag === null ? '' : `:${tag}`}`;
  await checkLayout(dir);
  const reader: ManifestReader = {
    reference: description,
    readRoot: () => readRoot(dir, tag, description),
    readManifest: (descriptor) => readSmallBlob(dir, descriptor, largestManifestBytes),
    readConfig: (descriptor) => readSmallBlob(dir, descriptor, largestConfigBytes),
  };
  return {
    description,
    resolve: (platform: Platform, { signal }) => resolveImage(reader, platform, signal),
    openBlob: (descriptor, options) => openLayoutBlob(dir, descriptor, options),
    close: async () => {},
  };
}

async function checkLayout(dir: string): Promise<void> {
  const text = await readLayoutFile(join(dir, 'oci-layout'), `${dir} is not an OCI layout: it has no oci-layout file`);
  if (/"imageLayoutVersion"\s*:\s*"1\./.test(text.toString('utf8'))) return;
  throw new ProvisionError('manifest_unsupported', `${dir} is an OCI layout of another version than 1`);
}

async function readRoot(dir: string, tag: string | null, description: string): Promise<RootDocument> {
  const label = `${dir}/index.json`;
  const all = parseLayoutIndex(await readLayoutFile(join(dir, 'index.json'), `${dir} has no index.json`), label);
  const entries = tag === null ? all : all.filter((entry) => entry.annotations?.[refNameAnnotation] === tag);
  const [only] = entries;
  if (!only) {
    const tags = all.map((entry) => entry.annotations?.[refNameAnnotation] ?? '(no tag)');
    throw new ProvisionError(
      'image_not_found',
      `${description} does not exist; the layout has ${tags.join(', ') || 'no image'}`,
      {
        facts: { tags },
      },
    );
  }
  if (entries.length > 1) return { bytes: asIndex(entries), mediaType: indexMediaTypes[0] ?? null, digest: null };
  return { bytes: await verifiedRoot(dir, only), mediaType: only.mediaType, digest: only.digest };
}

async function verifiedRoot(dir: string, entry: IndexEntry): Promise<Uint8Array> {
  const bytes = await readSmallBlob(dir, entry, largestManifestBytes);
  verifyBytes(bytes, entry, `the manifest ${entry.digest}`);
  return bytes;
}

// Several entries of one tag are chosen among like those of an image index.
function asIndex(entries: readonly IndexEntry[]): Uint8Array {
  const manifests = entries.map(({ sizeBytes, ...entry }) => ({ ...entry, size: sizeBytes }));
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: indexMediaTypes[0], manifests }));
}

async function readLayoutFile(path: string, missing: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new ProvisionError('image_not_found', missing, { cause });
  }
}

async function readSmallBlob(dir: string, descriptor: Descriptor, limitBytes: number): Promise<Uint8Array> {
  await using file = await openBlobFile(dir, descriptor);
  const { size } = await file.stat();
  if (size > limitBytes) {
    throw new ProvisionError(
      'manifest_invalid',
      `blob ${descriptor.digest} has ${size} bytes, more than the ${limitBytes} that are read`,
    );
  }
  return await file.readFile();
}

async function openBlobFile(dir: string, descriptor: Descriptor): Promise<Awaited<ReturnType<typeof open>>> {
  try {
    return await open(blobPath(dir, descriptor), 'r');
  } catch (cause) {
    const code = errnoOf(cause) === 'ENOENT' ? 'image_not_found' : 'permission';
    throw new ProvisionError(code, `the layout ${dir} has no readable file for ${describeDescriptor(descriptor)}`, {
      cause,
    });
  }
}

function openLayoutBlob(dir: string, descriptor: Descriptor, options: OpenBlobOptions): Readable {
  return Readable.from(layoutBlobBytes(dir, descriptor, options), { objectMode: false, highWaterMark: readBytes });
}

async function* layoutBlobBytes(dir: string, descriptor: Descriptor, options: OpenBlobOptions): AsyncGenerator<Buffer> {
  const { startBytes, endBytes } = blobRange(descriptor, options);
  await using file = await openBlobFile(dir, descriptor);
  const { size } = await file.stat();
  if (size !== descriptor.sizeBytes) {
    throw new ProvisionError(
      'size_mismatch',
      `${describeDescriptor(descriptor)} has ${size} bytes in the layout where ${descriptor.sizeBytes} were expected`,
      { facts: { size_bytes: size, expected_size_bytes: descriptor.sizeBytes } },
    );
  }
  for (let at = startBytes; at < endBytes; ) {
    if (options.signal.aborted) throw abortError(options.signal);
    const buffer = Buffer.allocUnsafeSlow(Math.min(readBytes, endBytes - at));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) {
      throw new ProvisionError('size_mismatch', `${describeDescriptor(descriptor)} became shorter while it was read`);
    }
    at += bytesRead;
    yield bytesRead === buffer.length ? buffer : buffer.subarray(0, bytesRead);
  }
}

function blobPath(dir: string, descriptor: Descriptor): string {
  const { algorithm, hex } = parseDigest(descriptor.digest);
  return join(dir, 'blobs', algorithm, hex);
}
