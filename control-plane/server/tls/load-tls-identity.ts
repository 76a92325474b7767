import type { DataFiles } from '../data-files.ts';
import type { TlsSettings } from '../settings.ts';
import { loadOwnIdentity, ownCaKey } from './own-identity.ts';
import type { TlsIdentity } from './tls-identity.ts';

export interface LoadTlsOptions {
  readonly tls: TlsSettings;
  readonly files: DataFiles;
  /** Hosts of the public URLs. */
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/**
 * What the server shows to whoever connects; null for plain HTTP. The key of the server's own CA is made at the first
 * start in any case: one that is missing later has been lost.
 * @throws ProvisionError `certificate_unusable`, `server_key_missing`, `server_key_invalid`.
 */
export async function loadTlsIdentity({ tls, files, names, nowMs }: LoadTlsOptions): Promise<TlsIdentity | null> {
  ownCaKey(files);
  if (tls.kind === 'none') return null;
  if (tls.kind === 'own') return await loadOwnIdentity({ files, names, nowMs });
  const { loadGivenIdentity } = await import('./given-identity.ts');
  return loadGivenIdentity({ ...tls, names, nowMs });
}
