import type { DatabaseSync } from 'node:sqlite';
import type { Logger } from '../core/base/logger.ts';
import type { EventBus } from './live/event-bus.ts';
import type { Sealer } from './store/sealer.ts';

/** Where the time comes from; tests give their own. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds since any moment, by a clock that nobody sets; absent: `performance.now()`. */
  monotonic?(): number;
}

/** What a running server is, for everything that handles a request. */
export interface ServerContext {
  readonly db: DatabaseSync;
  readonly log: Logger;
  readonly clock: Clock;
  readonly sealer: Sealer;
  readonly events: EventBus;
  /** The only account of this server. */
  readonly accountUuid: string;
  /** Origins without trailing slash, `https://host:8443`; the first is the one that is shown. Never empty. */
  readonly publicUrls: readonly string[];
  /** `sha256:…` of the CA's SubjectPublicKeyInfo; null on a server that speaks plain HTTP. */
  readonly pin: string | null;
  /** PEM of the CA; null on a server that speaks plain HTTP. */
  readonly caCertificate: string | null;
  /** `sha256//…` base64 of the leaf's SubjectPublicKeyInfo, the form of curl's `--pinnedpubkey`; null without TLS. */
  readonly leafPin: string | null;
  /** Origin of the plain listener for firmware (`--http-boot`), or null. */
  readonly httpBootUrl: string | null;
  /** Folder with `vmlinuz`, ISO and agent bundle, or null. */
  readonly assetsDir: string | null;
  readonly dataDir: string;
}

/** RFC 3339 of the context's clock. */
export function timestampOf(clock: Clock): string {
  return new Date(clock.now()).toISOString();
}
