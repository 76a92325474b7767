import { createHash, X509Certificate } from 'node:crypto';
import { ProvisionError } from '../base/errors.ts';

/** `sha256:` and 64 lower-case hex digits: the SHA-256 of a CA's SubjectPublicKeyInfo (RFC 5280, 4.1). */
export type Pin = `sha256:${string}`;

/** A pin as a person or a file gave it. @throws ProvisionError `usage`. */
export function parsePin(text: string): Pin {
  const pin = text.trim().toLowerCase();
  if (isPin(pin)) return pin;
  throw new ProvisionError('usage', 'a pin is sha256: followed by 64 hexadecimal digits');
}

function isPin(text: string): text is Pin {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

/** The pin of a certificate in PEM. @throws ProvisionError `server_answer_invalid` when it is no certificate. */
export function pinOfCertificate(pem: string): Pin {
  const spki = certificateOf(pem).publicKey.export({ type: 'spki', format: 'der' });
  return `sha256:${createHash('sha256').update(spki).digest('hex')}`;
}

function certificateOf(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new ProvisionError('server_answer_invalid', 'what should be a certificate is none', { cause });
  }
}
