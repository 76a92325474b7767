import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type KeyPair, keyPairSchema } from './read-identity.ts';

/** A new Ed25519 key pair (RFC 8032) as JWKs (RFC 8037): the machine's identity, which never leaves it. */
export function makeKeyPair(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return keyPairSchema.parse({
    public_key: publicKey.export({ format: 'jwk' }),
    private_key: privateKey.export({ format: 'jwk' }),
  });
}

/** Ed25519 signature in base64url without padding, 86 characters. */
export function signWith(keys: Pick<KeyPair, 'private_key'>, data: Uint8Array): string {
  return sign(null, data, privateKeyOf(keys)).toString('base64url');
}

function privateKeyOf({ private_key: jwk }: Pick<KeyPair, 'private_key'>): KeyObject {
  return createPrivateKey({ key: jwk, format: 'jwk' });
}
