import { createHash } from 'node:crypto';
import type { Platform } from '../../core/oci/types.ts';
import { configMediaType, manifestMediaType } from './image-media-types.ts';

/** One layer of the image that is being built. */
export interface BuiltLayer {
  readonly mediaType: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly diffId: string;
  /** For the config's history. */
  readonly createdBy: string;
}

/** An image config as JSON (image-spec config.md); members of a base image that we do not know are kept. */
export interface ConfigDocument {
  readonly [member: string]: unknown;
  readonly config?: { readonly [member: string]: unknown; readonly Labels?: Readonly<Record<string, string>> | null };
  readonly history?: readonly unknown[];
  readonly rootfs?: { readonly type?: string; readonly diff_ids?: readonly string[] };
}

export interface ConfigOptions {
  readonly platform: Platform;
  /** Of the base image; null without one. */
  readonly base: ConfigDocument | null;
  /** All layers, those of the base included. */
  readonly layers: readonly BuiltLayer[];
  /** How many of them, from which position, come from the base. */
  readonly inherited: { readonly first: number; readonly count: number };
  /** All labels, those of the base included. */
  readonly labels: Readonly<Record<string, string>>;
  /** Seconds since 1970; null leaves the time out, so that the same input gives the same bytes. */
  readonly createdAt: number | null;
}

/** The image config of what was built. */
export function configDocument(options: ConfigOptions): ConfigDocument {
  const { base, platform, layers, inherited, createdAt } = options;
  const created = createdAt === null ? {} : { created: new Date(createdAt * 1000).toISOString() };
  const { created: _baseCreated, ...kept } = base ?? {};
  const entry = (layer: BuiltLayer) => ({ ...created, created_by: layer.createdBy });
  return {
    ...kept,
    ...created,
    os: platform.os,
    architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    config: { ...base?.config, Labels: sorted(options.labels) },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: [
      ...layers.slice(0, inherited.first).map(entry),
      ...(base?.history ?? layers.slice(inherited.first, inherited.first + inherited.count).map(entry)),
      ...layers.slice(inherited.first + inherited.count).map(entry),
    ],
  };
}

/** The image manifest (image-spec manifest.md). */
export function manifestDocument(config: Uint8Array, layers: readonly BuiltLayer[]): Record<string, unknown> {
  return {
    schemaVersion: 2,
    mediaType: manifestMediaType,
    config: { mediaType: configMediaType, digest: sha256(config), size: config.length },
    layers: layers.map(({ mediaType, digest, sizeBytes }) => ({ mediaType, digest, size: sizeBytes })),
  };
}

/** Label by which a plan knows how much a layer unpacks to (provisioning.md, Preflight). */
export function unpackedLabel(diffId: string): string {
  return `durantic.unpacked.${diffId.replace(/^sha256:/, '').slice(0, 12)}`;
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function toJson(document: unknown): Buffer {
  return Buffer.from(JSON.stringify(document));
}

function sorted(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
