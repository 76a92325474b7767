import { X509Certificate } from 'node:crypto';
import { ProvisionError } from '../base/errors.ts';
import { pinOfCertificate } from './pin.ts';

/**
 * The certificate of a CA that came over an unverified connection, when its key hashes to the pin. Of a text with several
 * certificates it is the first and only that one: whoever trusts the text itself would trust what a man in the middle
 * put behind it.
 * @param host Whose it is said to be, for messages.
 * @throws ProvisionError `server_pin_mismatch`, `server_answer_invalid`.
 */
export function pinnedCertificate(pem: string, pin: string, host: string): X509Certificate {
  const found = pinOfCertificate(pem);
  if (found !== pin) {
    throw new ProvisionError(
      'server_pin_mismatch',
      `the server ${host} has another key than the pin says; either the pin is another server's, or this is not the server`,
      { facts: { host, expected: pin, found } },
    );
  }
  const certificate = new X509Certificate(pem);
  // Its dates are the CA's own word only when the CA signed them.
  if (certificate.subject === certificate.issuer && !certificate.verify(certificate.publicKey)) {
    throw new ProvisionError('server_pin_mismatch', `the CA certificate of the server ${host} is forged`, {
      facts: { host },
    });
  }
  return certificate;
}
