import { describeError } from '../../core/base/describe-error.ts';
import type { SuperviseOptions } from '../installer-parts.ts';
import { feedWatchdog } from './feed-watchdog.ts';
import { startRemoteShell } from './start-remote-shell.ts';

/**
 * What runs beside the installer's work: the watchdog is fed, the remote shell is there when a key was given. Neither
 * failing stops an installation: a notice says what is not there.
 */
export class Supervision {
  readonly #feeding = new AbortController();

  /** Goes on until the signal is aborted. */
  async run({ parameters, emit, signal }: SuperviseOptions): Promise<void> {
    const notice = (text: string): void => emit({ kind: 'notice', text });
    if (parameters.shell) {
      // Whoever debugs stops things; no watchdog must reset the machine meanwhile.
      notice('Rescue shell: Alt-F2 on this machine, Alt-F1 leads back. The watchdog is off.');
    } else {
      try {
        feedWatchdog({ signal: AbortSignal.any([signal, this.#feeding.signal]), onProblem: notice });
      } catch (error) {
        notice(`The machine's watchdog is not used: ${describeError(error)}`);
      }
    }
    if (parameters.authorizedKeys.length > 0) {
      try {
        const { port, fingerprint } = await startRemoteShell({ authorizedKeys: parameters.authorizedKeys, signal });
        emit({ kind: 'remote_shell', port, fingerprint });
      } catch (error) {
        if (!signal.aborted) notice(`There is no remote shell: ${describeError(error)}`);
      }
    }
    await untilAborted(signal);
  }

  /** Stops the watchdog, for good. Before the machine is left: the next system may not feed it. */
  stopWatchdog(): void {
    this.#feeding.abort();
  }
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
