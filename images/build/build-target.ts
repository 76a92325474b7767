import { ProvisionError } from '../../core/base/errors.ts';
import { parseReference } from '../../core/oci/reference.ts';

/** Where `image build` puts the image. */
export type BuildTarget =
  | { readonly kind: 'layout'; readonly dir: string; readonly tag: string }
  | { readonly kind: 'registry'; readonly reference: string };

const defaultTag = 'latest';

/**
 * Reads `oci:DIR[:TAG]` or `docker://HOST/NAME[:TAG]`.
 * @throws ProvisionError `reference_invalid`, `usage`.
 */
export function parseBuildTarget(text: string): BuildTarget {
  const isRegistry = text.startsWith('docker://');
  if (!isRegistry && !text.startsWith('oci:')) {
    throw new ProvisionError('usage', `--to ${text} is neither oci:DIR[:TAG] nor docker://HOST/NAME[:TAG]`);
  }
  const reference = parseReference(isRegistry ? text.slice('docker://'.length) : text);
  if (reference.kind === 'layout') return { kind: 'layout', dir: reference.dir, tag: reference.tag ?? defaultTag };
  if (reference.digest !== null) {
    throw new ProvisionError('usage', `--to ${text} names a digest, and an image is pushed to a tag`);
  }
  return { kind: 'registry', reference: reference.canonical };
}
