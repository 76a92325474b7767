import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { ProvisionError } from '../../../core/base/errors.ts';
import { curlPinOf, pinOf } from './pins.ts';
import type { TlsIdentity } from './tls-identity.ts';

export interface GivenIdentityOptions {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string | null;
  /** Hosts of the public URLs, each of which the certificate must name. */
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/**
 * A certificate of the operator's.
 * @throws ProvisionError `certificate_unusable` when a file cannot be read, key and certificate are no pair, it does not
 * lead to the CA, has expired, or does not name a host that machines dial.
 */
export function loadGivenIdentity(options: GivenIdentityOptions): TlsIdentity {
  const { certFile, keyFile, caFile } = options;
  const chain = readCertificates(certFile);
  const [leaf] = chain;
  const key = readKey(keyFile);
  if (!leaf.checkPrivateKey(key)) throw unusable(`${keyFile} is not the key of the certificate in ${certFile}`);
  if (leaf.validToDate.getTime() <= options.nowMs) throw unusable(`${certFile} expired on ${leaf.validTo}`);
  for (const name of options.names) {
    const named = isIP(name) === 0 ? leaf.checkHost(name) : leaf.checkIP(name);
    if (named === undefined) throw unusable(`${certFile} is not for ${name}, which is one of the public URLs`);
  }
  const ca = caFile === null ? null : readCertificates(caFile)[0];
  if (ca !== null && !leadsTo(chain, ca)) throw unusable(`${certFile} does not lead to the CA in ${caFile}`);
  return {
    cert: chain.map((each) => each.toString()).join(''),
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    caCertificate: ca === null ? null : ca.toString(),
    pin: ca === null ? null : pinOf(ca.publicKey),
    leafPin: curlPinOf(leaf.publicKey),
  };
}

/** True when each certificate is signed by the next and the last by the CA, or is the CA. */
function leadsTo(chain: readonly X509Certificate[], ca: X509Certificate): boolean {
  if (!ca.ca) return false;
  for (const [index, certificate] of chain.entries()) {
    if (certificate.raw.equals(ca.raw)) return index > 0;
    const issuer = chain[index + 1] ?? ca;
    if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) return false;
  }
  return true;
}

function readCertificates(file: string): [X509Certificate, ...X509Certificate[]] {
  try {
    const blocks = readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    const [first, ...rest] = blocks.map((block) => new X509Certificate(block));
    if (first === undefined) throw new Error('it holds no certificate in PEM');
    return [first, ...rest];
  } catch (cause) {
    throw unusable(`${file} cannot be read as a certificate`, cause);
  }
}

function readKey(file: string): KeyObject {
  try {
    return createPrivateKey(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw unusable(`${file} cannot be read as a private key without a passphrase`, cause);
  }
}

function unusable(message: string, cause?: unknown): ProvisionError {
  return new ProvisionError('certificate_unusable', message, cause === undefined ? {} : { cause });
}
