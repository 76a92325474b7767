import { ProvisionError } from '../core/base/errors.ts';

/**
 * A signal that SIGINT and SIGTERM abort, with that as the reason. The handlers stay to the end of the process: a signal
 * that comes when all is done must not look like a failure. A second one ends the process at once.
 */
export function abortOnSignals(): AbortSignal {
  const controller = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    controller.abort(new ProvisionError('aborted', `stopped by ${signal}`));
  };
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  return controller.signal;
}
