import assert from 'node:assert/strict';
import { createCipheriv, createHash } from 'node:crypto';
import { describeError } from '../../../core/base/describe-error.ts';
import { ProvisionError } from '../../../core/base/errors.ts';
import type { Logger } from '../../../core/base/logger.ts';
import { parseReference } from '../../../core/oci/reference.ts';
import { openRegistrySource, type RegistrySourceOptions } from '../../../core/oci/registry-source.ts';
import type { ImageSource, LayerDescriptor, ResolvedImage } from '../../../core/oci/types.ts';
import { type LayoutSpec, type WrittenLayout, writeLayout } from '../../builders/oci-image.ts';
import { type FaultyRegistry, type FaultyRegistryOptions, startFaultyRegistry } from '../../fakes/faulty-registry.ts';
import type { Resources } from '../../resources.ts';

export const platform = { os: 'linux', architecture: 'amd64' };
export const { signal } = new AbortController();

/** Waits so short that a fault costs milliseconds. */
export const quickRetry = { attempts: 12, firstDelayMs: 1, longestDelayMs: 4 };

/** Incompressible bytes, the same in each run. */
export function noise(sizeBytes: number, seed = 1): Buffer {
  const key = createHash('sha256').update(`noise ${seed}`).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}

export interface FaultyImage {
  readonly registry: FaultyRegistry;
  readonly source: ImageSource;
  readonly image: ResolvedImage;
  readonly layer: LayerDescriptor;
  readonly layout: WrittenLayout;
}

export interface FaultyImageOptions extends Omit<FaultyRegistryOptions, 'image'> {
  readonly layers?: LayoutSpec['layers'];
  readonly source?: Partial<RegistrySourceOptions>;
}

/** A faulty registry with an image (one zstd layer of 300 kB unless said otherwise), opened and resolved. */
export async function openFaultyImage(resources: Resources, options: FaultyImageOptions = {}): Promise<FaultyImage> {
  const layers = options.layers ?? [{ bytes: noise(300_000), codec: 'zstd' }];
  const layout = await writeLayout(resources.tempDir(), { layers });
  const registry = await startFaultyRegistry(resources, { ...options, image: layout.dir });
  const source = await openSource(resources, `${registry.host}/os/test:latest`, options.source);
  const image = await source.resolve(platform, { signal });
  const [layer] = image.layers;
  assert.ok(layer);
  return { registry, source, image, layer, layout };
}

export async function openSource(
  resources: Resources,
  text: string,
  options: Partial<RegistrySourceOptions> = {},
): Promise<ImageSource> {
  const reference = parseReference(text);
  assert.ok(reference.kind === 'registry');
  const source = await openRegistrySource(reference, {
    plainHttp: true,
    retryPolicy: quickRetry,
    stallTimeoutMs: 5000,
    ...options,
  });
  resources.defer('close the source', () => source.close());
  return source;
}

/** A matcher for `assert.rejects`: a ProvisionError of this code that reads so to a person, its causes included. */
export function failure(code: string, message = /./): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ProvisionError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(describeError(error), message);
    return true;
  };
}

/** A log that is kept as text. */
export function keptLog(): { readonly log: Logger; readonly lines: Record<string, unknown>[]; text(): string } {
  const lines: Record<string, unknown>[] = [];
  const keep = (facts: unknown, text?: string): void => {
    lines.push({ ...(typeof facts === 'object' ? facts : { facts }), text });
  };
  const log = { debug: keep, info: keep, warn: keep, error: keep } as Logger;
  return { log, lines, text: () => JSON.stringify(lines) };
}
