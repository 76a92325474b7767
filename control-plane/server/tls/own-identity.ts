import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { ProvisionError } from '../../../core/base/errors.ts';
import { writePrivateFile } from '../../store/write-private-file.ts';
import type { DataFiles } from '../data-files.ts';
import { refuseNewKey } from '../load-secrets-key.ts';
import { curlPinOf, pinOf } from './pins.ts';
import type { TlsIdentity } from './tls-identity.ts';

const dayMs = 24 * 60 * 60 * 1000;
/** How far the clocks of server and machines may be behind. */
const backdatedMs = 30 * dayMs;
const caLifetimeMs = 30 * 365 * dayMs;
const caRenewalMs = 3 * 365 * dayMs;
/** With what is backdated less than the 398 days that clients accept at most. */
const leafLifetimeMs = 365 * dayMs;
const leafRenewalMs = 60 * dayMs;

export interface OwnIdentityOptions {
  readonly files: DataFiles;
  /** IP addresses (IPv6 without brackets) and DNS names that machines dial. */
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/**
 * The server's own CA and certificate, made when they are not there. The keys stay for good: the CA's hash is the pin
 * that machines hold, the leaf's the one that operators give to curl. The certificates are made anew for the same keys
 * when they are missing, near their end, not valid yet, or when the names are others.
 * @throws ProvisionError `server_key_missing`, `server_key_invalid`.
 */
export async function loadOwnIdentity({ files, names, nowMs }: OwnIdentityOptions): Promise<TlsIdentity> {
  const caKey = ownCaKey(files);
  const caCertificate = await loadCaCertificate(files, caKey, nowMs);
  // Another leaf key only breaks curl lines that were noted down; a lost one must not keep the server from starting.
  const leafKey = loadKey(files.tlsKey, () => undefined);
  const ca = new X509Certificate(caCertificate);
  let leaf = readText(files.tlsCertificate);
  if (leaf === null || !isGoodLeaf(leaf, { ca, leafKey, names, nowMs })) {
    const { issueLeafCertificate } = await import('./issue-certificate.ts');
    const validity = { notBefore: new Date(nowMs - backdatedMs), notAfter: new Date(nowMs + leafLifetimeMs) };
    leaf = await issueLeafCertificate({ caCertificate, caKey, leafKey, names, ...validity });
    writePrivateFile(files.tlsCertificate, leaf);
  }
  return {
    cert: leaf + caCertificate,
    key: leafKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    caCertificate,
    pin: pinOf(createPublicKey(caKey)),
    leafPin: curlPinOf(createPublicKey(leafKey)),
  };
}

/** The key of the server's own CA, made when there is no database yet. @throws ProvisionError as above. */
export function ownCaKey(files: DataFiles): KeyObject {
  return loadKey(files.caKey, () => refuseNewKey(files, files.caKey));
}

async function loadCaCertificate(files: DataFiles, caKey: KeyObject, nowMs: number): Promise<string> {
  const stored = readText(files.caCertificate);
  if (stored !== null) {
    const certificate = parseCertificate(stored);
    if (certificate?.checkPrivateKey(caKey) && isInTime(certificate, nowMs, caRenewalMs)) return stored;
  }
  const { issueCaCertificate } = await import('./issue-certificate.ts');
  const validity = { notBefore: new Date(nowMs - backdatedMs), notAfter: new Date(nowMs + caLifetimeMs) };
  const issued = await issueCaCertificate(caKey, validity);
  writePrivateFile(files.caCertificate, issued);
  return issued;
}

/** @param beforeNew Throws when a new key must not be made. */
function loadKey(file: string, beforeNew: () => void): KeyObject {
  if (!existsSync(file)) {
    beforeNew();
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    writePrivateFile(file, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    return privateKey;
  }
  try {
    const key = createPrivateKey(readFileSync(file, 'utf8'));
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('it is not on the curve P-256');
    return key;
  } catch (cause) {
    throw new ProvisionError('server_key_invalid', `${file} is not a private key of this server`, {
      cause,
      facts: { path: file },
    });
  }
}

interface LeafExpectation {
  readonly ca: X509Certificate;
  readonly leafKey: KeyObject;
  readonly names: readonly string[];
  readonly nowMs: number;
}

function isGoodLeaf(pem: string, { ca, leafKey, names, nowMs }: LeafExpectation): boolean {
  const leaf = parseCertificate(pem);
  return (
    leaf?.checkPrivateKey(leafKey) === true &&
    leaf.checkIssued(ca) &&
    leaf.verify(ca.publicKey) &&
    isInTime(leaf, nowMs, leafRenewalMs) &&
    [...namesOf(leaf)].sort().join() === names.map(comparableName).sort().join()
  );
}

/** Valid now and, unless its whole life is shorter, for some time to come. */
function isInTime(certificate: X509Certificate, nowMs: number, remainingMs: number): boolean {
  return certificate.validFromDate.getTime() <= nowMs && certificate.validToDate.getTime() - nowMs > remainingMs;
}

/** `DNS:name, IP Address:1.2.3.4` as Node prints it; our names hold neither comma nor quote. */
function namesOf(certificate: X509Certificate): string[] {
  const text = certificate.subjectAltName ?? '';
  return text.split(', ').map((entry) => comparableName(entry.slice(entry.indexOf(':') + 1)));
}

/** IPv6 has many forms; Node prints `0:0:0:0:0:0:0:1` for `::1`. */
function comparableName(name: string): string {
  return isIP(name) === 6 ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name.toLowerCase();
}

function parseCertificate(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem);
  } catch {
    return null;
  }
}

function readText(file: string): string | null {
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
}
