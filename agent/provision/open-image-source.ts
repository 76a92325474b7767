import type { Logger } from '../../core/base/logger.ts';
import type { NamedCredentials } from '../../core/oci/auth.ts';
import type { RetryPolicy } from '../../core/oci/blob-download.ts';
import { openLayoutSource } from '../../core/oci/layout-source.ts';
import { parseReference } from '../../core/oci/reference.ts';
import { openRegistrySource } from '../../core/oci/registry-source.ts';
import type { ImageSource } from '../../core/oci/types.ts';

export interface OpenImageSourceOptions {
  readonly plainHttp: boolean;
  readonly registryCaFile: string | null;
  /** None: anonymous. */
  readonly credentials?: readonly NamedCredentials[];
  readonly proxy?: string | null;
  readonly retryPolicy?: Partial<RetryPolicy>;
  readonly signal: AbortSignal;
  readonly log?: Logger;
}

/**
 * The source of an image by its reference: a registry, or an OCI layout folder (`oci:DIR[:TAG]`).
 * @throws ProvisionError `reference_invalid`, and `usage` or `image_not_found` for a CA file or folder that is not there.
 */
export async function openImageSource(reference: string, options: OpenImageSourceOptions): Promise<ImageSource> {
  const parsed = parseReference(reference);
  if (parsed.kind === 'layout') return await openLayoutSource(parsed.dir, parsed.tag);
  return await openRegistrySource(parsed, {
    plainHttp: options.plainHttp,
    caFile: options.registryCaFile ?? undefined,
    proxy: options.proxy ?? undefined,
    ...(options.retryPolicy === undefined ? {} : { retryPolicy: options.retryPolicy }),
    credentials: (registry) => options.credentials?.find((each) => each.registry === registry),
    log: options.log,
    signal: options.signal,
  });
}
