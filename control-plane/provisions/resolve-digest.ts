import type { Logger } from '../../core/base/logger.ts';
import type { RegistryCredentials } from '../../core/oci/auth.ts';
import { openRegistrySource } from '../../core/oci/registry-source.ts';
import type { ImageUrl } from '../images/read-image-url.ts';
import type { RegistryAccess } from './provision-service.ts';

/** What machines of this server are: the only architecture that is installed for now. */
export const machinePlatform = { os: 'linux', architecture: 'amd64' } as const;

export interface ResolveDigestOptions {
  readonly image: ImageUrl;
  readonly credentials: RegistryCredentials | null;
  readonly registries: RegistryAccess;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * The digest of the manifest that a tag names now, for this server's platform. Asks once: whoever calls decides when
 * to ask again.
 * @throws ProvisionError of the registry client; `retryable` where the registry may be back later.
 */
export async function resolveDigest(options: ResolveDigestOptions): Promise<string> {
  const { reference, plainHttp } = options.image;
  const source = await openRegistrySource(reference, {
    plainHttp,
    caFile: options.registries.ca?.file,
    connectTo: options.registries.connectTo,
    credentials: (registry) =>
      registry === reference.registry && options.credentials !== null ? options.credentials : undefined,
    retryPolicy: { attempts: 1 },
    log: options.log,
    signal: options.signal,
  });
  try {
    return (await source.resolve(machinePlatform, { signal: options.signal })).manifestDigest;
  } finally {
    await source.close();
  }
}
