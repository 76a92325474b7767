import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ProvisionError } from '../../core/base/errors.ts';
import { sha256 } from './image-documents.ts';

const refName = 'org.opencontainers.image.ref.name';
const indexMediaType = 'application/vnd.oci.image.index.v1+json';
const layoutFile = '{"imageLayoutVersion":"1.0.0"}';

interface IndexEntry {
  readonly [member: string]: unknown;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Makes the folder an OCI layout (image-spec image-layout.md), or accepts the one that it is.
 * @throws ProvisionError `image_build_failed` for a folder that holds something else.
 */
export async function openLayoutForWriting(dir: string): Promise<void> {
  await mkdir(join(dir, 'blobs', 'sha256'), { recursive: true });
  const file = join(dir, 'oci-layout');
  if (!existsSync(file)) await writeFile(file, layoutFile);
  await readIndex(dir);
}

/** Writes a small blob whole and gives its digest. */
export async function writeSmallBlob(dir: string, bytes: Uint8Array): Promise<string> {
  const digest = sha256(bytes);
  await replaceFile(join(dir, 'blobs', 'sha256', digest.slice('sha256:'.length)), bytes);
  return digest;
}

/** Puts the manifest into the layout's index under the tag, in place of the one that had it. */
export async function tagManifest(
  dir: string,
  manifest: { digest: string; sizeBytes: number; mediaType: string; tag: string; platform: object },
): Promise<void> {
  const others = (await readIndex(dir)).filter((entry) => entry.annotations?.[refName] !== manifest.tag);
  const entry = {
    mediaType: manifest.mediaType,
    digest: manifest.digest,
    size: manifest.sizeBytes,
    platform: manifest.platform,
    annotations: { [refName]: manifest.tag },
  };
  const index = { schemaVersion: 2, mediaType: indexMediaType, manifests: [...others, entry] };
  await replaceFile(join(dir, 'index.json'), Buffer.from(JSON.stringify(index)));
}

async function readIndex(dir: string): Promise<readonly IndexEntry[]> {
  const file = join(dir, 'index.json');
  if (!existsSync(file)) return [];
  try {
    const index: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof index === 'object' && index !== null && 'manifests' in index && Array.isArray(index.manifests)) {
      return index.manifests;
    }
    throw new Error('it has no list of manifests');
  } catch (cause) {
    throw new ProvisionError('image_build_failed', `${file} is not the index of an OCI layout`, { cause });
  }
}

async function replaceFile(file: string, bytes: Uint8Array): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, bytes);
  await rename(draft, file);
}
