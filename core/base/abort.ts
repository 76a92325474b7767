import { ProvisionError } from './errors.ts';

/** Throws the signal's reason as a ProvisionError when it is aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

/** The reason of an aborted signal as a ProvisionError of kind `aborted` (or the ProvisionError it was given). */
export function abortError(signal: AbortSignal): ProvisionError {
  if (signal.reason instanceof ProvisionError) return signal.reason;
  return new ProvisionError('aborted', 'the operation was aborted', { cause: signal.reason });
}

/** Whether an error is what an aborted signal made of whatever was going on. */
export function isAbortOf(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  return error === signal.reason || (error instanceof ProvisionError && error.kind === 'aborted');
}

/** Waits `delayMs`, or throws as soon as the signal is aborted. */
export async function sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
  throwIfAborted(signal);
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(done, delayMs);
    const stop = (): void => {
      clearTimeout(timer);
      if (signal) reject(abortError(signal));
    };
    function done(): void {
      signal?.removeEventListener('abort', stop);
      resolve();
    }
    signal?.addEventListener('abort', stop, { once: true });
  });
}
