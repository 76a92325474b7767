import { ProvisionError } from '../../core/base/errors.ts';
import { parseReference, type RegistryReference } from '../../core/oci/reference.ts';

export interface ImageUrl {
  readonly reference: RegistryReference;
  /** The registry is to be asked over plain HTTP: only where the URL says so by name. */
  readonly plainHttp: boolean;
}

/**
 * Reads an image's `docker_image_url`: `[HOST[:PORT]/]NAME[:TAG][@DIGEST]`, with `docker://`, `https://` or `http://`
 * before it or not. `http://` asks for plain HTTP.
 * @throws ProvisionError `reference_invalid`.
 */
export function readImageUrl(url: string): ImageUrl {
  const scheme = /^(docker|https?):\/\//.exec(url);
  const reference = parseReference(scheme === null ? url : url.slice(scheme[0].length));
  if (reference.kind !== 'registry') {
    throw new ProvisionError('reference_invalid', 'a folder of the server is no image that a machine could fetch');
  }
  return { reference, plainHttp: scheme?.[1] === 'http' };
}

/** The reference as an agent gets it: complete, and beginning with `http://` where plain HTTP was asked for. */
export function agentReference({ reference, plainHttp }: ImageUrl): string {
  return plainHttp ? `http://${reference.canonical}` : reference.canonical;
}
