import { z } from 'zod';
import { ProvisionError } from '../base/errors.ts';
import { isDigest } from '../stream/parse-digest.ts';
import { indexMediaTypes, isSchema1, manifestMediaTypes } from './media-types.ts';
import type { Descriptor } from './types.ts';

const annotations = z.record(z.string(), z.string()).nullish();

const descriptorSchema = z.object({
  mediaType: z.string(),
  digest: z.string().refine(isDigest, 'not a sha256 or sha512 digest'),
  size: z.int().nonnegative(),
  annotations,
});

const platformSchema = z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() });

const indexSchema = z.object({
  schemaVersion: z.literal(2),
  manifests: z.array(descriptorSchema.extend({ platform: platformSchema.nullish() })),
});

const manifestSchema = z.object({
  schemaVersion: z.literal(2),
  config: descriptorSchema,
  layers: z.array(descriptorSchema),
});

const configSchema = z.object({
  os: z.string().optional(),
  architecture: z.string().optional(),
  variant: z.string().optional(),
  config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }).nullish(),
  rootfs: z.object({ diff_ids: z.array(z.string().refine(isDigest, 'not a digest')).nullish() }).nullish(),
});

export interface IndexEntry extends Descriptor {
  readonly platform: { readonly os: string; readonly architecture: string; readonly variant?: string } | null;
}

export type ManifestDocument =
  | { readonly kind: 'index'; readonly mediaType: string; readonly manifests: readonly IndexEntry[] }
  | {
      readonly kind: 'manifest';
      readonly mediaType: string;
      readonly config: Descriptor;
      readonly layers: readonly Descriptor[];
    };

export interface ImageConfig {
  readonly os: string | null;
  readonly architecture: string | null;
  readonly variant: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly diffIds: readonly string[];
}

/**
 * Reads an image index or image manifest, OCI or Docker schema 2. `declaredMediaType` is what the registry's
 * Content-Type or the descriptor says; the document's own `mediaType` must agree with it, and a document that is
 * both index and manifest is refused (CVE-2021-41190).
 * @throws ProvisionError `manifest_invalid`, `manifest_unsupported` (schema 1, other kinds of document).
 */
export function parseManifest(bytes: Uint8Array, declaredMediaType: string | null, label: string): ManifestDocument {
  const json = parseJson(bytes, label);
  const own = typeof json['mediaType'] === 'string' ? json['mediaType'] : null;
  if (json['schemaVersion'] === 1 || isSchema1(own ?? declaredMediaType ?? '')) {
    throw new ProvisionError(
      'manifest_unsupported',
      `${label} is a Docker schema 1 manifest, a form that was given up in 2019; push the image again with a current tool`,
    );
  }
  const declared = known(declaredMediaType);
  const mediaType = own ?? declared ?? guess(json);
  if (own !== null && declared !== null && own !== declared) {
    throw new ProvisionError('manifest_invalid', `${label} says that it is ${own}, but was served as ${declared}`);
  }
  if ('manifests' in json && ('layers' in json || 'config' in json)) {
    throw new ProvisionError('manifest_invalid', `${label} is an index and a manifest at the same time`);
  }
  if (indexMediaTypes.includes(mediaType)) {
    const index = check(indexSchema, json, label);
    return { kind: 'index', mediaType, manifests: index.manifests.map(toIndexEntry) };
  }
  if (manifestMediaTypes.includes(mediaType)) {
    const manifest = check(manifestSchema, json, label);
    return {
      kind: 'manifest',
      mediaType,
      config: toDescriptor(manifest.config),
      layers: manifest.layers.map(toDescriptor),
    };
  }
  throw new ProvisionError(
    'manifest_unsupported',
    `${label} has the media type ${JSON.stringify(mediaType)}, which is no image`,
  );
}

/**
 * Reads an image config (image-spec config.md).
 * @throws ProvisionError `manifest_invalid`.
 */
export function parseImageConfig(bytes: Uint8Array, label: string): ImageConfig {
  const config = check(configSchema, parseJson(bytes, label), label);
  return {
    os: config.os || null,
    architecture: config.architecture || null,
    variant: config.variant || null,
    labels: config.config?.Labels ?? {},
    diffIds: config.rootfs?.diff_ids ?? [],
  };
}

/** Reads the entries of an OCI layout's `index.json`, which carries no digest of its own. */
export function parseLayoutIndex(bytes: Uint8Array, label: string): readonly IndexEntry[] {
  return check(indexSchema, parseJson(bytes, label), label).manifests.map(toIndexEntry);
}

function parseJson(bytes: Uint8Array, label: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('not a JSON object');
    return value as Record<string, unknown>;
  } catch (cause) {
    throw new ProvisionError('manifest_invalid', `${label} is not valid JSON`, { cause });
  }
}

function check<T>(schema: z.ZodType<T>, value: unknown, label: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue?.path.join('.') ?? '';
  throw new ProvisionError(
    'manifest_invalid',
    `${label} is not valid${where === '' ? '' : ` at ${where}`}: ${issue?.message}`,
  );
}

function known(mediaType: string | null): string | null {
  const plain = mediaType?.split(';')[0]?.trim().toLowerCase() ?? null;
  if (plain === null) return null;
  return indexMediaTypes.includes(plain) || manifestMediaTypes.includes(plain) ? plain : null;
}

// OCI documents need not carry their media type; the members tell them apart.
function guess(json: Record<string, unknown>): string {
  if ('manifests' in json) return 'application/vnd.oci.image.index.v1+json';
  return 'layers' in json && 'config' in json ? 'application/vnd.oci.image.manifest.v1+json' : '';
}

function toDescriptor(raw: z.infer<typeof descriptorSchema>): Descriptor {
  const { mediaType, digest, size: sizeBytes } = raw;
  return raw.annotations
    ? { mediaType, digest, sizeBytes, annotations: raw.annotations }
    : { mediaType, digest, sizeBytes };
}

function toIndexEntry(raw: z.infer<typeof indexSchema>['manifests'][number]): IndexEntry {
  const platform = raw.platform ?? null;
  if (platform === null) return { ...toDescriptor(raw), platform };
  const { os, architecture, variant } = platform;
  return { ...toDescriptor(raw), platform: variant ? { os, architecture, variant } : { os, architecture } };
}
