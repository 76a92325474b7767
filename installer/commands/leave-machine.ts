import type { LeaveBy } from '../../agent/boot/reboot.ts';
import type { CommandContext } from '../../agent/commands/command-table.ts';
import { describeError } from '../../core/base/describe-error.ts';
import type { InstallerContext } from './installer-context.ts';
import { keepOutbox } from './keep-outbox.ts';

export interface Departure {
  readonly how: LeaveBy;
  /** Whereto, for the screen. */
  readonly detail: string;
  /** The system that was just installed and has an agent: it takes over what the server has not acknowledged. */
  readonly heir: { readonly disk: string; readonly rootNumber: number } | null;
}

const farewellMs = 30_000;

/**
 * Leaves the installer: waits until the server has everything, for 30 s at most, hands what it has not to the installed
 * system, and goes.
 * @throws ProvisionError when the machine stays.
 */
export async function leaveMachine(
  departure: Departure,
  installer: InstallerContext,
  { flush, signal }: Pick<CommandContext, 'flush' | 'signal'>,
): Promise<void> {
  const { emit, log, outbox } = installer;
  const { how, detail, heir } = departure;
  emit({ kind: 'leaving', how, detail });
  const hasAll = await flush(installer.timings?.farewellMs ?? farewellMs);
  if (!hasAll && heir !== null) {
    try {
      await keepOutbox({ ...heir, outbox, log, signal });
      log.info({ frames: outbox.size }, 'handed the reports that the server lacks to the installed system');
    } catch (error) {
      emit({ kind: 'notice', text: `The last reports are lost to the server: ${describeError(error)}` });
    }
  }
  await installer.leave(how, signal);
}
