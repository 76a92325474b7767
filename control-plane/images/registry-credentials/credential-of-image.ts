import type { RegistryCredentials } from '../../../core/oci/auth.ts';
import type { RegistryReference } from '../../../core/oci/reference.ts';
import type { ServerContext } from '../../context.ts';
import { text } from '../../store/row-values.ts';

/** Where the password of a registry credential is sealed to. */
export function passwordPlace(credentialUuid: string): string {
  return `registry_credentials/${credentialUuid}/password`;
}

/** A registry's name without scheme and path; docker.io has several. */
export function registryHost(registryUrl: string): string {
  const host = (
    registryUrl
      .trim()
      .replace(/^[a-z][a-z0-9+.-]*:\/\//i, '')
      .split('/')[0] ?? ''
  ).toLowerCase();
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host;
}

/**
 * User name and password of a registry credential, opened; null when it was deleted. They are for the image's own
 * registry only: a credential of another host is never sent to it.
 * @throws ProvisionError `sealed_value_unreadable`.
 */
export function credentialOfImage(
  context: ServerContext,
  credentialUuid: string | null,
  reference: RegistryReference,
): RegistryCredentials | null {
  if (credentialUuid === null) return null;
  const row = context.db
    .prepare('SELECT registry_url, username, password_sealed FROM registry_credentials WHERE uuid = ?')
    .get(credentialUuid);
  if (row === undefined) return null;
  if (registryHost(text(row, 'registry_url')) !== reference.registry.toLowerCase()) return null;
  const sealed = row['password_sealed'];
  if (!(sealed instanceof Uint8Array)) return null;
  return { username: text(row, 'username'), password: context.sealer.open(sealed, passwordPlace(credentialUuid)) };
}
