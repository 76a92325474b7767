import { ProvisionError } from '../core/base/errors.ts';
import type { Platform } from '../core/oci/types.ts';

/**
 * `linux/amd64` or `linux/arm64/v8` as a platform (image-spec image-index.md).
 * @throws ProvisionError `usage`.
 */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.split('/');
  if (!os || !architecture || rest.length > 0) {
    throw new ProvisionError('usage', `${text} is no platform; it is written like linux/amd64`);
  }
  return { os, architecture, ...(variant ? { variant } : {}) };
}
