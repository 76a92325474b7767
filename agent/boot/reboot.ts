import { existsSync } from 'node:fs';
import { runCommand } from '../../core/base/run-command.ts';

export type LeaveBy = 'reboot' | 'kexec' | 'poweroff';

export interface RebootOptions {
  /** `kexec` starts what `loadKexec` has loaded. */
  readonly how: LeaveBy;
  readonly signal: AbortSignal;
  /** Injectable for tests; exists where systemd is the init (sd_booted(3)). */
  readonly systemdDir?: string;
}

/**
 * Leaves the running system: through systemd where it is the init, so that services end in order, else directly (in
 * the installer's initramfs nobody else is there). Everything must be flushed and unmounted before.
 * @throws ProvisionError `tool_missing`, `tool_failed` when the machine stays.
 */
export async function rebootMachine(options: RebootOptions): Promise<void> {
  const { how, signal } = options;
  const [tool, ...args] = rebootCommand(how, existsSync(options.systemdDir ?? '/run/systemd/system'));
  await runCommand(tool, args, { signal, timeoutMs: 60_000 });
}

/** The program to run and its arguments. */
export function rebootCommand(how: LeaveBy, hasSystemd: boolean): readonly [string, ...string[]] {
  if (hasSystemd) return ['systemctl', how];
  // -x: kexec-tools would otherwise bring interfaces down by itself; -f: there is no init to ask.
  return how === 'kexec' ? ['kexec', '-e', '-x'] : [how, '-f'];
}
