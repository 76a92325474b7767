import { isAbortOf } from '../core/base/abort.ts';
import { ProvisionError } from '../core/base/errors.ts';

/**
 * Runs works beside each other until all have ended. The first that fails ends the others, and its error is thrown when
 * they have; when the signal was aborted, what they threw because of it is no error.
 */
export async function runTogether(
  outer: AbortSignal,
  works: readonly ((signal: AbortSignal) => Promise<unknown>)[],
): Promise<void> {
  const ending = new AbortController();
  const signal = AbortSignal.any([outer, ending.signal]);
  let failure: unknown;
  let hasFailed = false;
  const run = async (work: (signal: AbortSignal) => Promise<unknown>): Promise<void> => {
    try {
      await work(signal);
    } catch (error) {
      if (isAbortOf(error, signal)) return;
      if (!hasFailed) failure = error;
      hasFailed = true;
      ending.abort(new ProvisionError('aborted', 'another part of the program has failed'));
    }
  };
  await Promise.all(works.map(run));
  if (hasFailed) throw failure;
}
