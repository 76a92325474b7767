import { runCommand } from '../../core/base/run-command.ts';

/**
 * Sets the system's clock, to the second: the form that date(1) of coreutils and of BusyBox share.
 * @throws ProvisionError `tool_failed` without the right to, `tool_missing`, `aborted`.
 */
export async function setSystemClock(time: Date, signal: AbortSignal): Promise<void> {
  await runCommand('date', ['-u', '-s', `@${Math.floor(time.getTime() / 1000)}`], { signal, timeoutMs: 10_000 });
}
