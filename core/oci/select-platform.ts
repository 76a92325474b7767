import { ProvisionError } from '../base/errors.ts';
import { indexMediaTypes } from './media-types.ts';
import type { IndexEntry } from './parse-manifest.ts';
import type { Platform } from './types.ts';

const architectureAliases: Readonly<Record<string, string>> = { x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64' };
const defaultVariants: Readonly<Record<string, string>> = { amd64: 'v1', arm64: 'v8', arm: 'v7' };

/**
 * The entry of an index for the platform: the first whose os, architecture and variant are equal (variants with
 * containerd's defaults: arm64 = v8, arm = v7, amd64 = v1), else the only entry that names no platform, else the only
 * nested index. Attestation manifests (annotation `vnd.docker.reference.type`, platform unknown/unknown) are ignored.
 * @throws ProvisionError `platform_not_found` (facts: wanted, available).
 */
export function selectPlatform(entries: readonly IndexEntry[], wanted: Platform, label: string): IndexEntry {
  const candidates = entries.filter((entry) => !isAttestation(entry));
  const exact = candidates.find((entry) => entry.platform !== null && isSamePlatform(entry.platform, wanted));
  if (exact) return exact;
  const unnamed = candidates.filter((entry) => entry.platform === null);
  const [only] = unnamed;
  const hasOneUnnamed = unnamed.length === 1 && (candidates.length === 1 || isIndex(only));
  if (only && hasOneUnnamed) return only;
  const available = candidates.map((entry) => (entry.platform ? describePlatform(entry.platform) : 'unnamed'));
  throw new ProvisionError(
    'platform_not_found',
    `${label} has nothing for ${describePlatform(wanted)}; it has ${available.length === 0 ? 'no platform' : available.join(', ')}`,
    { facts: { wanted: describePlatform(wanted), available } },
  );
}

/** True when both name the same os, architecture and variant, aliases and default variants considered. */
export function isSamePlatform(left: Platform, right: Platform): boolean {
  return describeNormal(left) === describeNormal(right);
}

/** `linux/arm64/v8`, as it was given. */
export function describePlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
}

function describeNormal(platform: Platform): string {
  const architecture = platform.architecture.toLowerCase();
  const plain = architectureAliases[architecture] ?? architecture;
  return [platform.os.toLowerCase(), plain, platform.variant || defaultVariants[plain] || ''].join('/');
}

function isAttestation(entry: IndexEntry): boolean {
  if (entry.annotations?.['vnd.docker.reference.type'] !== undefined) return true;
  return entry.platform?.os === 'unknown' && entry.platform.architecture === 'unknown';
}

function isIndex(entry: IndexEntry | undefined): boolean {
  return entry !== undefined && indexMediaTypes.includes(entry.mediaType);
}
