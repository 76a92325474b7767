import { isAbortOf } from '../../core/base/abort.ts';
import { describeError } from '../../core/base/describe-error.ts';
import { asProvisionError, ProvisionError } from '../../core/base/errors.ts';
import type { LeaveBy } from './reboot.ts';

export interface LeaveForSystemOptions {
  readonly how: LeaveBy;
  /** Leaves the running system; throws when the machine stays. */
  readonly leave: (how: LeaveBy, signal: AbortSignal) => Promise<void>;
  /** The system did not start by kexec and is started by a restart. */
  readonly onFallback: (message: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Leaves for a system that is complete on its disk: by a restart where kexec fails, which leads to the same system.
 * @throws ProvisionError with the code of what failed and disk state `complete`; `aborted`.
 */
export async function leaveForSystem({ how, leave, onFallback, signal }: LeaveForSystemOptions): Promise<void> {
  try {
    await leaveOrRestart({ how, leave, onFallback, signal });
  } catch (cause) {
    if (isAbortOf(cause, signal)) throw cause;
    const { code, facts } = asProvisionError(cause);
    const message = 'the installed system is complete, but the machine did not leave for it; switch it off and on';
    throw new ProvisionError(code, message, { cause, facts, diskState: 'complete' });
  }
}

async function leaveOrRestart({ how, leave, onFallback, signal }: LeaveForSystemOptions): Promise<void> {
  try {
    await leave(how, signal);
  } catch (error) {
    if (how !== 'kexec' || isAbortOf(error, signal)) throw error;
    onFallback(`kexec into the installed system failed, the machine restarts instead: ${describeError(error)}`);
    await leave('reboot', signal);
  }
}
