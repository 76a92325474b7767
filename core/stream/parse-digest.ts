import { ProvisionError } from '../base/errors.ts';

export type DigestAlgorithm = 'sha256' | 'sha512';

export interface ParsedDigest {
  readonly algorithm: DigestAlgorithm;
  readonly hex: string;
}

const hexDigits: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha512: 128 };

/** True for a digest in a form and algorithm that can be verified here (image-spec descriptor.md, "Digests"). */
export function isDigest(text: string): boolean {
  return tryParse(text) !== undefined;
}

/**
 * Splits `sha256:…` or `sha512:…`, hex in lower case (image-spec descriptor.md).
 * @throws ProvisionError `manifest_invalid` for anything else.
 */
export function parseDigest(text: string): ParsedDigest {
  const parsed = tryParse(text);
  if (!parsed) throw new ProvisionError('manifest_invalid', `${JSON.stringify(text)} is not a sha256 or sha512 digest`);
  return parsed;
}

function tryParse(text: string): ParsedDigest | undefined {
  const [algorithm, hex, rest] = text.split(':');
  if (rest !== undefined || hex === undefined) return undefined;
  if (algorithm !== 'sha256' && algorithm !== 'sha512') return undefined;
  return hex.length === hexDigits[algorithm] && /^[0-9a-f]+$/.test(hex) ? { algorithm, hex } : undefined;
}
