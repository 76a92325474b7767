import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ProvisionError } from '../../core/base/errors.ts';
import type { RegistryAccess } from '../provisions/provision-service.ts';

/**
 * The CAs of registries, which also go to machines.
 * @throws ProvisionError `certificate_unusable` when the file holds none: every run would fail later.
 */
export function readRegistryCa(file: string | null): RegistryAccess['ca'] {
  if (file === null) return undefined;
  try {
    const pem = readFileSync(file, 'utf8');
    new X509Certificate(pem);
    return { file, pem };
  } catch (cause) {
    throw new ProvisionError('certificate_unusable', `${file} cannot be read as the CA of registries`, { cause });
  }
}
