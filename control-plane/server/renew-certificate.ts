import { describeError } from '../../core/base/describe-error.ts';
import type { Logger } from '../../core/base/logger.ts';
import type { TlsIdentity } from './tls/tls-identity.ts';

export interface RenewOptions {
  /** What is shown now; null: plain HTTP. */
  readonly current: () => TlsIdentity | null;
  readonly intervalMs: number;
  readonly log: Logger;
  /** Loads the identity anew: renews an own certificate that is near its end, reads given files again. */
  readonly load: () => Promise<TlsIdentity | null>;
  readonly use: (identity: TlsIdentity) => void;
}

/**
 * Looks from time to time whether there is another certificate to show. One that cannot be used is reported, and the
 * current one stays. @returns A function that ends it.
 */
export function renewCertificate({ current, intervalMs, log, load, use }: RenewOptions): () => void {
  const renew = async (): Promise<void> => {
    try {
      const shown = current();
      if (shown === null) return;
      const identity = await load();
      if (identity === null || (identity.cert === shown.cert && identity.key === shown.key)) return;
      use(identity);
      log.info({ leaf_pin: identity.leafPin }, 'new connections get a new certificate');
    } catch (error) {
      log.error({ error: describeError(error) }, 'the certificate cannot be renewed; the current one is kept');
    }
  };
  const timer = setInterval(() => void renew(), intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}
