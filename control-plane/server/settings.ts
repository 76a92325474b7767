import type { LogLevel } from '../../core/base/logger.ts';

export interface ListenAddress {
  /** IP address or host name, IPv6 without brackets. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

/** `own`: a CA and certificate of this server's making; `none`: plain HTTP, which must be asked for by name. */
export type TlsSettings =
  | { readonly kind: 'own' }
  | {
      readonly kind: 'given';
      /** PEM, the server's certificate first, then what leads to the CA. */
      readonly certFile: string;
      readonly keyFile: string;
      /** PEM of the CA that machines are to trust; null: they use the system's roots. */
      readonly caFile: string | null;
    }
  | { readonly kind: 'none' };

/** Everything that `durantic server run` can be told. */
export interface ServerSettings {
  readonly dataDir: string;
  readonly listen: ListenAddress;
  /** Origins; empty: from the listening address. */
  readonly publicUrls: readonly string[];
  readonly httpBoot: ListenAddress | null;
  readonly assetsDir: string | null;
  readonly tls: TlsSettings;
  /** PEM of CAs of registries, trusted besides the system's, by this server and by machines; null: none. */
  readonly registryCaFile: string | null;
  /** Where this server finds registries that machines reach by their name, by `HOST:PORT`. */
  readonly registryAddresses: ReadonlyMap<string, ListenAddress>;
  readonly logLevel: LogLevel;
}

export const defaultListen: ListenAddress = { host: '0.0.0.0', port: 8443 };
