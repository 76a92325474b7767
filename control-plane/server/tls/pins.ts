import { createHash, type KeyObject } from 'node:crypto';

/** `sha256:` and hex of the key's SubjectPublicKeyInfo: how machines know a CA (protocol.md, "Server identity"). */
export function pinOf(publicKey: KeyObject): string {
  return `sha256:${spkiHash(publicKey).toString('hex')}`;
}

/** `sha256//` and base64 of the same hash, the form of curl's `--pinnedpubkey` and of RFC 7469. */
export function curlPinOf(publicKey: KeyObject): string {
  return `sha256//${spkiHash(publicKey).toString('base64')}`;
}

function spkiHash(publicKey: KeyObject): Buffer {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest();
}
