import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aptSourcesFor } from '../../../images/build/debian-rootfs.ts';
import { debianRoot } from '../../../initramfs/build/debian-root.ts';
import { runRootTool } from '../../../initramfs/build/root-tool.ts';
import { debianSuite } from '../../../initramfs/contents.ts';
import { cacheDir } from '../paths.ts';

/** Key and certificate for Secure Boot, and the programs of Debian that sign with them. */
export interface Signing {
  /** Debian root with sbsign and with systemd-boot, which under Secure Boot takes GRUB's place. */
  readonly root: string;
  /** What decides the bytes of the result besides what is signed and the time. */
  readonly inputs: readonly string[];
  readonly keyFile: string;
  readonly certificate: X509Certificate;
}

export interface SigningOptions {
  /** PEM, without pass phrase. */
  readonly keyFile: string;
  /** PEM or DER. */
  readonly certificateFile: string;
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Fetched for who signs, and for nobody else. */
const signingPackages = ['sbsigntool', 'systemd-boot-efi'] as const;

/**
 * Checks key and certificate, and takes the programs from Debian.
 * @throws Error that says what is wrong with them; never a part of the key.
 */
export async function openSigning(options: SigningOptions): Promise<Signing> {
  const { keyFile, certificateFile, print, signal } = options;
  const certificate = readCertificate(certificateFile);
  const key = readKey(keyFile);
  if (!certificate.checkPrivateKey(key)) throw new Error(`${certificateFile} is not the certificate of ${keyFile}`);
  const until = Date.parse(certificate.validTo);
  if (until < Date.now()) print(`the certificate ended on ${certificate.validTo}; firmware does not look at that`);
  const root = await debianRoot({
    suite: debianSuite,
    packages: signingPackages,
    sources: await aptSourcesFor(debianSuite, signal),
    cacheDir: join(cacheDir, 'signing'),
    onProgress: () => print('unpacking the packages that sign (about 10 s)'),
    signal,
  });
  return { root: root.dir, inputs: [...root.packages, certificate.fingerprint256], keyFile, certificate };
}

/**
 * Signs an EFI program for Secure Boot (sbsign(1); UEFI specification 2.10, section 32.2). The signature holds the time at which it
 * was made, so that two runs differ by it.
 * @throws ProvisionError `tool_missing`, `tool_failed`, `aborted`.
 */
export async function signEfiProgram(file: string, out: string, signing: Signing, signal: AbortSignal): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'durantic-sign-'));
  try {
    // sbsign reads PEM only, and every certificate of a file.
    const certificateFile = join(work, 'certificate.pem');
    writeFileSync(certificateFile, signing.certificate.toString());
    const args = ['--key', signing.keyFile, '--cert', certificateFile, '--output', out, file];
    // The builder's settings for OpenSSL must not count.
    await runRootTool(signing.root, 'sbsign', args, { signal, env: { OPENSSL_CONF: '/dev/null' } });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Path of systemd-boot in the signing root. */
export function systemdBoot({ root }: Signing): string {
  return join(root, 'usr/lib/systemd/boot/efi/systemd-bootx64.efi');
}

function readCertificate(file: string): X509Certificate {
  const bytes = readFileSync(file);
  try {
    return new X509Certificate(bytes);
  } catch (cause) {
    throw new Error(`${file} is no X.509 certificate (PEM or DER)`, { cause });
  }
}

function readKey(file: string): KeyObject {
  const text = readFileSync(file, 'utf8');
  if (/ENCRYPTED/.test(text)) {
    throw new Error(
      `the key in ${file} needs a pass phrase, for which the build does not ask: write it without one to a place that only you read (openssl pkey -in ${file} -out FILE)`,
    );
  }
  const key = parseKey(text, file);
  // What every firmware of the last ten years takes (UEFI specification 2.10, section 32.4.1: RSA-2048 with SHA-256).
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType === 'rsa' && bits >= 2048) return key;
  throw new Error(`the key in ${file} is not an RSA key of 2048 bits or more, which firmware asks for`);
}

function parseKey(text: string, file: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    // The cause could quote what it has read.
    throw new Error(`${file} is no private key in PEM form`);
  }
}
