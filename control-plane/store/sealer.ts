import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { ProvisionError } from '../../core/base/errors.ts';

const nonceBytes = 12;
const tagBytes = 16;

/**
 * Encrypts what must not lie in the database in clear: AES-256-GCM (NIST SP 800-38D), a random 96-bit nonce, the
 * name of the row as additional data, so that a value cannot be moved to another row. Layout: version 1, nonce, tag, text.
 */
export class Sealer {
  readonly #key: Uint8Array;

  /** @param key 32 bytes. */
  constructor(key: Uint8Array) {
    if (key.length !== 32) throw new ProvisionError('invariant', 'the key of the sealer is not 32 bytes');
    this.#key = key;
  }

  /** @param place Which field of which row, `secrets/UUID/value`. */
  seal(text: string, place: string): Uint8Array {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(place));
    const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([Uint8Array.of(1), nonce, cipher.getAuthTag(), body]);
  }

  /** @throws ProvisionError `sealed_value_unreadable` when the key, the place or a byte is another. */
  open(sealed: Uint8Array, place: string): string {
    try {
      if (sealed[0] !== 1) throw new Error(`version ${sealed[0]} is unknown`);
      const nonce = sealed.subarray(1, 1 + nonceBytes);
      const decipher = createDecipheriv('aes-256-gcm', this.#key, nonce, { authTagLength: tagBytes })
        .setAAD(Buffer.from(place))
        .setAuthTag(sealed.subarray(1 + nonceBytes, 1 + nonceBytes + tagBytes));
      return Buffer.concat([decipher.update(sealed.subarray(1 + nonceBytes + tagBytes)), decipher.final()]).toString();
    } catch (cause) {
      throw new ProvisionError('sealed_value_unreadable', `the stored value of ${place} cannot be decrypted`, {
        cause,
        facts: { place },
      });
    }
  }
}
