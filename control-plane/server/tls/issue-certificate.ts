import { createPublicKey, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
// The container that x509 is built on asks for it.
import 'reflect-metadata';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/**
 * A self-signed CA certificate (RFC 5280, section 4.2) for a P-256 key. Its name carries the start of the key's
 * identifier: a client that knows several durantic servers must not take one CA for the other.
 * @returns PEM.
 */
export async function issueCaCertificate(key: KeyObject, validity: Validity): Promise<string> {
  const keys = {
    privateKey: key.toCryptoKey(algorithm, true, ['sign']),
    publicKey: createPublicKey(key).toCryptoKey(algorithm, true, ['verify']),
  };
  const keyId = await SubjectKeyIdentifierExtension.create(keys.publicKey);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [`durantic CA ${keyId.keyId.slice(0, 8)}`] }],
    ...validity,
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      keyId,
    ],
  });
  return pem(certificate);
}

export interface IssueLeafOptions extends Validity {
  /** PEM. */
  readonly caCertificate: string;
  readonly caKey: KeyObject;
  readonly leafKey: KeyObject;
  /** IP addresses (without brackets) and DNS names. */
  readonly names: readonly string[];
}

/** The server's certificate, for the key that it already has. @returns PEM. */
export async function issueLeafCertificate(options: IssueLeafOptions): Promise<string> {
  const ca = new X509Certificate(options.caCertificate);
  const publicKey = createPublicKey(options.leafKey).toCryptoKey(algorithm, true, ['verify']);
  const names: JsonGeneralName[] = options.names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }));
  const extensions: Extension[] = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension(names),
    await SubjectKeyIdentifierExtension.create(publicKey),
    await AuthorityKeyIdentifierExtension.create(ca.publicKey),
  ];
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: ['durantic server'] }],
    issuer: ca.subjectName.toJSON(),
    notBefore: options.notBefore,
    notAfter: options.notAfter,
    signingAlgorithm: algorithm,
    publicKey,
    signingKey: options.caKey.toCryptoKey(algorithm, true, ['sign']),
    extensions,
  });
  return pem(certificate);
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString('pem').trim()}\n`;
}
