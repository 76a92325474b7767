import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repoDir } from '../paths.ts';

/** What kernel-config/KERNEL pins. */
export interface KernelPin {
  readonly version: string;
  /** File name of the source archive. */
  readonly tarball: string;
  /** Of the source archive, hex. */
  readonly sha256: string;
  /** Source package and version, as `apt-get source` takes it. */
  readonly debianSource: string;
  readonly debianSuite: string;
  readonly kernelOrgUrl: string;
  readonly firmwareSuite: string;
}

export const kernelConfigDir = join(repoDir, 'kernel-config');

/**
 * Reads `NAME=value` lines; `#` begins a comment.
 * @throws Error when a name is missing or the checksum is none.
 */
export function parseKernelPin(text: string): KernelPin {
  const values = new Map(
    text
      .split('\n')
      .filter((line) => /^[A-Z]/.test(line))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  const value = (name: string): string => {
    const found = values.get(name);
    if (found === undefined || found === '') throw new Error(`kernel-config/KERNEL does not say ${name}`);
    return found;
  };
  const sha256 = value('SHA256');
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new Error('SHA256 in kernel-config/KERNEL is no SHA-256 (64 hex digits)');
  return {
    version: value('VERSION'),
    tarball: value('TARBALL'),
    sha256,
    debianSource: value('DEBIAN_SOURCE'),
    debianSuite: value('DEBIAN_SUITE'),
    kernelOrgUrl: value('KERNEL_ORG_URL'),
    firmwareSuite: value('FIRMWARE_SUITE'),
  };
}

export function readKernelPin(): KernelPin {
  return parseKernelPin(readFileSync(join(kernelConfigDir, 'KERNEL'), 'utf8'));
}
