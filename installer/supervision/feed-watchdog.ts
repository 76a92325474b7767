import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describeError } from '../../core/base/describe-error.ts';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import { findWatchdog, type Watchdog } from './find-watchdog.ts';

export interface WatchdogOptions {
  /** The watchdog stops when it is aborted: leave the machine only after that. */
  readonly signal: AbortSignal;
  readonly sysDir?: string;
  readonly devDir?: string;
  /** Told, as a sentence, when it does not take a feed after it took the one before, or the stop. */
  readonly onProblem: (text: string) => void;
  /** Injectable for tests: writes to its device. */
  readonly write?: (fd: number, text: string) => void;
}

/** A quarter of its patience, so that three feeds may be late. */
const feedsPerTimeout = 4;
const longestIntervalMs = 10_000;

/** Stops it when its file is closed next ("magic close", Documentation/watchdog/watchdog-api.rst of Linux). */
const stopCharacter = 'V';

/**
 * Starts the machine's watchdog and feeds it from this event loop: when the loop hangs, the machine is reset. A feed that
 * fails, as that of a busy management controller may, is said, and the next one follows. Stopped when the signal is
 * aborted, so that whatever runs next is left alone. When this process dies, the supervisor stops it.
 * @returns the watchdog; null when the machine has none that can be used.
 * @throws ProvisionError `permission` when it is there but cannot be opened (another program feeds it).
 */
export function feedWatchdog(options: WatchdogOptions): Watchdog | null {
  const { signal, devDir = '/dev', onProblem, write = writeSync } = options;
  const watchdog = findWatchdog(options.sysDir);
  if (watchdog === null || signal.aborted) return null;
  const device = join(devDir, watchdog.name);
  const fd = openDevice(device);
  if (fd === null) return null;
  // Synchronous: it does not block, and a thread pool that waits for slow disks must not stop the feeding.
  let isTaken = true;
  const feed = (): void => {
    try {
      write(fd, '\0');
      isTaken = true;
    } catch (error) {
      if (isTaken) onProblem(`the watchdog ${device} cannot be fed, which is tried again: ${describeError(error)}`);
      isTaken = false;
    }
  };
  feed();
  const intervalMs = Math.min((watchdog.timeoutSec * 1000) / feedsPerTimeout, longestIntervalMs);
  const timer = setInterval(feed, intervalMs);
  const stop = (): void => {
    clearInterval(timer);
    try {
      try {
        write(fd, stopCharacter);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      const resets = `it may reset the machine in ${watchdog.timeoutSec} s`;
      onProblem(`the watchdog ${device} may not have been stopped (${describeError(error)}): ${resets}`);
    }
  };
  signal.addEventListener('abort', stop, { once: true });
  return watchdog;
}

function openDevice(device: string): number | null {
  try {
    return openSync(device, 'w');
  } catch (cause) {
    if (['ENOENT', 'ENODEV', 'ENXIO'].includes(errnoOf(cause) ?? '')) return null;
    throw new ProvisionError('permission', `the watchdog ${device} cannot be opened`, { cause, facts: { device } });
  }
}
