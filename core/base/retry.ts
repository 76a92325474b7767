import { sleep } from './abort.ts';
import { ProvisionError } from './errors.ts';

export interface RetryOptions {
  /** How often `attempt` may be called in a row without progress. */
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** No attempt begins later than this after the first, unless the peer itself asked for the wait. */
  readonly giveUpAfterMs?: number;
  /** Whether that holds for waits that the peer asked for too: one that would end later is not begun. Default false. */
  readonly countsHints?: boolean;
  readonly signal?: AbortSignal;
  /** A wait that the peer asked for (Retry-After), already clamped; replaces the backoff. */
  readonly delayHintMs?: (error: ProvisionError) => number | undefined;
  /** Whether an error is tried again; default: its `retryable`. */
  readonly isRetryable?: (error: ProvisionError) => boolean;
  /** True when the failed attempt had got somewhere: the count and the delays begin anew. */
  readonly hadProgress?: (error: ProvisionError) => boolean;
  /** `half` waits between half of the delay and all of it; `full` between nothing and all of it. Default `half`. */
  readonly jitter?: 'half' | 'full';
  /** Waits in place of `sleep`. True: what stood in the way has changed, so that the count and the delays begin anew. */
  readonly wait?: (delayMs: number, error: ProvisionError) => Promise<boolean>;
  readonly onRetry?: (error: ProvisionError, attempt: number, delayMs: number) => void;
  /** Injectable for tests, 0 ≤ value < 1. */
  readonly random?: () => number;
  /** Milliseconds of a clock that never goes back; injectable for tests. */
  readonly now?: () => number;
}

/**
 * The program's only retry loop: exponential backoff with jitter. Only a ProvisionError that says
 * `retryable` is tried again; when the attempts are spent, the last error is thrown as it came.
 */
export async function retry<T>(attempt: (attemptIndex: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const random = options.random ?? Math.random;
  const now = options.now ?? (() => performance.now());
  const isRetryable = options.isRetryable ?? ((error) => error.retryable);
  const jitterShare = options.jitter === 'full' ? 1 : 0.5;
  let startedMs = now();
  for (let index = 0; ; index += 1) {
    try {
      return await attempt(index);
    } catch (error) {
      if (!(error instanceof ProvisionError) || !isRetryable(error)) throw error;
      if (options.hadProgress?.(error) === true) {
        index = 0;
        startedMs = now();
      }
      if (index + 1 >= options.attempts) throw error;
      const ceilingMs = Math.min(options.longestDelayMs, options.firstDelayMs * 2 ** index);
      const hintMs = options.delayHintMs?.(error);
      if (isTooLate(now() - startedMs, hintMs, options)) throw error;
      const delayMs = hintMs ?? Math.round(ceilingMs * (1 - jitterShare + random() * jitterShare));
      options.onRetry?.(error, index + 1, delayMs);
      if (options.wait === undefined) {
        await sleep(delayMs, options.signal);
      } else if (await options.wait(delayMs, error)) {
        index = -1;
        startedMs = now();
      }
    }
  }
}

function isTooLate(elapsedMs: number, hintMs: number | undefined, options: RetryOptions): boolean {
  const budgetMs = options.giveUpAfterMs ?? Number.POSITIVE_INFINITY;
  if (hintMs === undefined) return elapsedMs > budgetMs;
  return options.countsHints === true && elapsedMs + hintMs > budgetMs;
}
