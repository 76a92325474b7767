import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import { retry } from '../../core/base/retry.ts';
import type { DiskContext } from './types.ts';
import { whoHolds } from './who-holds.ts';

export interface RetryBusyOptions {
  readonly path: string;
  /** What is tried, for messages: `re-reading the partition table of /dev/sda`. */
  readonly what: string;
  /** Who is in the way; default: who has the disk or a partition open. */
  readonly holders?: () => Promise<readonly string[]>;
  /** Default 14, which is about 9 seconds. */
  readonly attempts?: number;
}

/**
 * Tries again while something answers EBUSY or EAGAIN: udev and others open a disk for moments whenever somebody
 * closes it (failure row F30).
 * @throws ProvisionError `disk_busy` naming the holder, when it stays busy; other errors as they come.
 */
export async function retryBusy<T>(
  call: () => Promise<T> | T,
  options: RetryBusyOptions,
  ctx: DiskContext,
): Promise<T> {
  const attempt = async (): Promise<T> => {
    try {
      return await call();
    } catch (cause) {
      const errno = errnoOf(cause);
      if (errno !== 'EBUSY' && errno !== 'EAGAIN') throw cause;
      const holders = await (options.holders ?? (() => whoHolds(options.path)))();
      const who = holders.length === 0 ? 'something that shows in no process' : holders.join(', ');
      throw new ProvisionError('disk_busy', `${options.what} is not possible, because the disk is held by ${who}`, {
        cause,
        retryable: true,
        facts: { device: options.path, holders },
      });
    }
  };
  return await retry(attempt, {
    attempts: options.attempts ?? 14,
    firstDelayMs: 50,
    longestDelayMs: 1000,
    signal: ctx.signal,
    onRetry: (error, count) => {
      const fields = { device: options.path, holders: error.facts['holders'], attempt: count };
      ctx.log.warn(fields, `${options.what}: busy, trying again`);
    },
  });
}
