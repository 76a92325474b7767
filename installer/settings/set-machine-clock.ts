import { setSystemClock } from '../../agent/identity/set-clock.ts';
import { throwIfAborted } from '../../core/base/abort.ts';
import { runCommand } from '../../core/base/run-command.ts';

/**
 * Sets the system's clock and then the hardware clock from it, in UTC, so that the installed system does not begin in
 * 1970 again (failure row F11). A machine without a hardware clock, or with one that cannot be written, keeps the
 * system's. Once begun it goes on to the end, whatever becomes of the signal: the caller's next try would find a system
 * clock that is right, and leave the hardware's as it is.
 * @throws ProvisionError `tool_failed`, `tool_missing`, `aborted`, of the system's clock only.
 */
export async function setMachineClock(time: Date, signal: AbortSignal): Promise<void> {
  throwIfAborted(signal);
  await setSystemClock(time, new AbortController().signal);
  // Its exit code says whether there is one; a warning would only keep people from what matters.
  await runCommand('hwclock', ['--systohc', '--utc'], { timeoutMs: 10_000 }).catch(() => undefined);
}
