import { existsSync } from 'node:fs';
import type { Clock } from '../context.ts';
import { ensureBootstrapKeys, readBootstrapKeys } from '../enrolment/bootstrap-keys.ts';
import { Sealer } from '../store/sealer.ts';
import { type DataFiles, dataFiles } from './data-files.ts';
import { loadSecretsKey } from './load-secrets-key.ts';
import { lockDataDir } from './lock-data-dir.ts';
import { openStore, type Store } from './open-store.ts';
import { prepareDataDir } from './prepare-data-dir.ts';
import { hostOfUrl, publicUrlsOf } from './public-urls.ts';
import type { ServerSettings } from './settings.ts';
import { loadTlsIdentity } from './tls/load-tls-identity.ts';
import type { TlsIdentity } from './tls/tls-identity.ts';

export interface OpenDataDir extends Store {
  readonly dataDir: string;
  readonly files: DataFiles;
  readonly sealer: Sealer;
  /** What is shown now; the server replaces it when there is a newer one. */
  identity: TlsIdentity | null;
  /** The identity as it is to be by now, made anew where that is due. */
  readonly loadIdentity: () => Promise<TlsIdentity | null>;
}

/**
 * Takes the data directory for this process and makes what is missing, the keys before the database: a database
 * without keys has lost them. What it opens is put on `undo`.
 * @throws ProvisionError `data_dir_unusable`, `data_dir_in_use`, `server_key_missing`, `server_key_invalid`,
 * `certificate_unusable`, `database_unusable`.
 */
export async function openDataDir(
  settings: ServerSettings,
  clock: Clock,
  undo: AsyncDisposableStack,
): Promise<OpenDataDir> {
  const dataDir = prepareDataDir(settings.dataDir);
  undo.defer(lockDataDir(dataDir));
  const files = dataFiles(dataDir);
  const sealer = new Sealer(loadSecretsKey(files));
  if (existsSync(files.database)) readBootstrapKeys(dataDir);
  else ensureBootstrapKeys(dataDir, clock.now());
  const names = [...new Set(urlsOf(settings, settings.listen.port).map(hostOfUrl))];
  const loadIdentity = async (): Promise<TlsIdentity | null> =>
    await loadTlsIdentity({ tls: settings.tls, files, names, nowMs: clock.now() });
  const identity = await loadIdentity();
  const store = openStore(files.database, clock);
  undo.defer(() => store.db.close());
  return { ...store, dataDir, files, sealer, identity, loadIdentity };
}

/** The public URLs of a server that listens on `port`. */
export function urlsOf({ publicUrls, listen, tls }: ServerSettings, port: number): string[] {
  const scheme = tls.kind === 'none' ? 'http' : 'https';
  return publicUrlsOf({ given: publicUrls, listen: { ...listen, port }, scheme });
}
