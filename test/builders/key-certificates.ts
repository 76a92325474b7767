import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  issueCaCertificate,
  issueLeafCertificate,
  type Validity,
} from '../../control-plane/server/tls/issue-certificate.ts';
import { type Pin, pinOfCertificate } from '../../core/pinned-ca/pin.ts';
import type { Resources } from '../resources.ts';

const yearMs = 365 * 24 * 60 * 60 * 1000;

/** From so many years before today to so many after it. */
export function years(before: number, after: number): Validity {
  return { notBefore: new Date(Date.now() - before * yearMs), notAfter: new Date(Date.now() + after * yearMs) };
}

export interface KeyCertificates {
  readonly caKey: KeyObject;
  /** PEM. */
  readonly ca: string;
  readonly pin: Pin;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface KeyCertificatesOptions {
  readonly caValidity?: Validity;
  readonly leafValidity?: Validity;
  /** A CA key that signs anew; default: a new one. */
  readonly caKey?: KeyObject;
}

const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

/** A CA and a certificate for 127.0.0.1 and localhost as the server makes them, with the validity that a test wants. */
export async function makeKeyCertificates(
  resources: Resources,
  options: KeyCertificatesOptions = {},
): Promise<KeyCertificates> {
  const { caKey = newKey(), caValidity = years(1, 10), leafValidity = years(1, 1) } = options;
  const ca = await issueCaCertificate(caKey, caValidity);
  const leafKey = newKey();
  const names = ['127.0.0.1', 'localhost'];
  const leaf = await issueLeafCertificate({ caCertificate: ca, caKey, leafKey, names, ...leafValidity });
  const dir = resources.tempDir();
  const certFile = join(dir, 'tls.pem');
  const keyFile = join(dir, 'tls.key');
  writeFileSync(certFile, leaf);
  writeFileSync(keyFile, leafKey.export({ type: 'pkcs8', format: 'pem' }));
  return { caKey, ca, pin: pinOfCertificate(ca), certFile, keyFile };
}
