import { createHash } from 'node:crypto';
import { ProvisionError } from '../base/errors.ts';
import { parseDigest } from '../stream/parse-digest.ts';
import { describeDescriptor } from './describe-descriptor.ts';
import { unsupportedLayerReason } from './media-types.ts';
import { type ImageConfig, type ManifestDocument, parseImageConfig, parseManifest } from './parse-manifest.ts';
import { describePlatform, isSamePlatform, selectPlatform } from './select-platform.ts';
import type { Descriptor, LayerDescriptor, Platform, ResolvedImage } from './types.ts';

/** The document that a reference names; `digest` is null only for a layout's own list of entries. */
export interface RootDocument {
  readonly bytes: Uint8Array;
  readonly mediaType: string | null;
  readonly digest: string | null;
}

/** What resolving needs from a registry or a layout. Bytes come unverified; resolving verifies them. */
export interface ManifestReader {
  readonly reference: string;
  readRoot(signal: AbortSignal): Promise<RootDocument>;
  readManifest(descriptor: Descriptor, signal: AbortSignal): Promise<Uint8Array>;
  readConfig(descriptor: Descriptor, signal: AbortSignal): Promise<Uint8Array>;
}

export const largestManifestBytes = 4 * 1024 * 1024;
export const largestConfigBytes = 8 * 1024 * 1024;
const deepestIndex = 2;

interface ChosenManifest {
  readonly document: Extract<ManifestDocument, { kind: 'manifest' }>;
  readonly digest: string;
  readonly indexDigest: string | null;
}

/**
 * Resolves a reference to one platform's image: index (one more nested in it at most) → manifest → config, each
 * verified by digest and size.
 * @throws ProvisionError `platform_not_found`, `manifest_invalid`, `manifest_unsupported`, `digest_mismatch`,
 * `size_mismatch`, and what the reader throws.
 */
export async function resolveImage(
  reader: ManifestReader,
  wanted: Platform,
  signal: AbortSignal,
): Promise<ResolvedImage> {
  const chosen = await chooseManifest(reader, wanted, signal);
  const { document } = chosen;
  assertSize(document.config.sizeBytes, largestConfigBytes, 'the image config');
  const configBytes = await reader.readConfig(document.config, signal);
  verifyBytes(configBytes, document.config, 'the image config');
  const config = parseImageConfig(configBytes, 'the image config');
  const notes: string[] = [];
  return {
    reference: reader.reference,
    manifestDigest: chosen.digest,
    indexDigest: chosen.indexDigest,
    mediaType: document.mediaType,
    platform: platformOf(config, wanted, reader.reference, notes),
    labels: config.labels,
    layers: layersOf(document.layers, config.diffIds, notes),
    config: document.config,
    notes,
  };
}

/** Throws `size_mismatch` or `digest_mismatch` unless the bytes are the descriptor's. */
export function verifyBytes(bytes: Uint8Array, expected: { digest: string; sizeBytes: number }, label: string): void {
  if (bytes.length !== expected.sizeBytes) {
    throw new ProvisionError(
      'size_mismatch',
      `${label} has ${bytes.length} bytes where ${expected.sizeBytes} were expected`,
      {
        facts: { size_bytes: bytes.length, expected_size_bytes: expected.sizeBytes },
      },
    );
  }
  const actual = digestOf(bytes, expected.digest);
  if (actual === expected.digest) return;
  throw new ProvisionError(
    'digest_mismatch',
    `${label} has the digest ${actual} where ${expected.digest} was expected`,
    {
      facts: { digest: actual, expected_digest: expected.digest },
    },
  );
}

/** Digest of the bytes, in the algorithm of `like` (sha256 when there is none). */
export function digestOf(bytes: Uint8Array, like: string | null): string {
  const algorithm = like === null ? 'sha256' : parseDigest(like).algorithm;
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

async function chooseManifest(reader: ManifestReader, wanted: Platform, signal: AbortSignal): Promise<ChosenManifest> {
  const root = await reader.readRoot(signal);
  let label = `the manifest of ${reader.reference}`;
  let document = parseManifest(root.bytes, root.mediaType, label);
  let digest = root.digest;
  let indexDigest: string | null = null;
  for (let depth = 0; document.kind === 'index'; depth += 1) {
    if (depth >= deepestIndex) {
      throw new ProvisionError('manifest_unsupported', `${reader.reference} is an index nested more than once`);
    }
    indexDigest ??= digest;
    const entry = selectPlatform(document.manifests, wanted, reader.reference);
    assertSize(entry.sizeBytes, largestManifestBytes, `the manifest ${entry.digest}`);
    label = `the manifest ${entry.digest}`;
    const bytes = await reader.readManifest(entry, signal);
    verifyBytes(bytes, entry, label);
    document = parseManifest(bytes, entry.mediaType, label);
    digest = entry.digest;
  }
  if (digest === null) throw new ProvisionError('invariant', 'a manifest without a digest was resolved');
  return { document, digest, indexDigest };
}

function platformOf(config: ImageConfig, wanted: Platform, reference: string, notes: string[]): Platform {
  if (config.os === null || config.architecture === null) {
    notes.push(`the image config names no platform; ${describePlatform(wanted)} is assumed`);
    return wanted;
  }
  const { os, architecture, variant } = config;
  const actual: Platform = variant === null ? { os, architecture } : { os, architecture, variant };
  // Variants are compared in an index only: builders put all sorts of variants into configs.
  if (!isSamePlatform({ os, architecture }, { os: wanted.os, architecture: wanted.architecture })) {
    throw new ProvisionError(
      'platform_not_found',
      `${reference} has nothing for ${describePlatform(wanted)}; it is an image for ${describePlatform(actual)}`,
      { facts: { wanted: describePlatform(wanted), available: [describePlatform(actual)] } },
    );
  }
  return actual;
}

// provisioning.md, invariant 2: no diff_ids is allowed for an image of layer 0 alone, any other count is an error.
function layersOf(layers: readonly Descriptor[], diffIds: readonly string[], notes: string[]): LayerDescriptor[] {
  const mayLack = diffIds.length === 0 && layers.length === 1;
  if (mayLack) notes.push('the image config has no diff_ids; layer 0 is verified by its compressed digest alone');
  if (!mayLack && diffIds.length !== layers.length) {
    throw new ProvisionError(
      'manifest_invalid',
      `the manifest has ${layers.length} layers, the image config ${diffIds.length} diff_ids`,
      { facts: { layers: layers.length, diff_ids: diffIds.length } },
    );
  }
  return layers.map((layer, index) => {
    const described = { ...layer, index, diffId: diffIds[index] ?? null };
    const reason = unsupportedLayerReason(layer.mediaType);
    if (reason) throw new ProvisionError('manifest_unsupported', `${describeDescriptor(described)} ${reason}`);
    return described;
  });
}

function assertSize(sizeBytes: number, limitBytes: number, label: string): void {
  if (sizeBytes <= limitBytes) return;
  throw new ProvisionError(
    'manifest_invalid',
    `${label} is said to have ${sizeBytes} bytes, more than the ${limitBytes} that are read`,
  );
}
