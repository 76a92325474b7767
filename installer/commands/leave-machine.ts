import { leaveForSystem } from '../../agent/boot/leave-for-system.ts';
import type { LeaveBy } from '../../agent/boot/reboot.ts';
import type { CommandContext } from '../../agent/commands/command-table.ts';
import { isAbortOf } from '../../core/base/abort.ts';
import { describeError } from '../../core/base/describe-error.ts';
import { asProvisionError } from '../../core/base/errors.ts';
import { describeUntold } from './describe-untold.ts';
import type { InstallerContext } from './installer-context.ts';

export interface Departure {
  readonly how: LeaveBy;
  /** Whereto, for the screen. */
  readonly detail: string;
  /** Hands what the server has not acknowledged to the agent of the system that is left for; null where there is none. */
  readonly handOver: (() => Promise<void>) | null;
  /** The run that has made the system: its server hears when the machine stays. */
  readonly provisionUuid?: string;
}

const farewellMs = 30_000;

/**
 * Leaves the installer: waits until the server has everything, for 30 s at most, hands what it has not to the installed
 * system, or says what is lost, and goes.
 * @throws ProvisionError when the machine stays.
 */
export async function leaveMachine(
  departure: Departure,
  installer: InstallerContext,
  context: Pick<CommandContext, 'flush' | 'report' | 'signal'>,
): Promise<void> {
  const { how, detail } = departure;
  const { flush, signal } = context;
  installer.emit({ kind: 'leaving', how, detail });
  const hasAll = await flush(installer.timings?.farewellMs ?? farewellMs);
  if (!hasAll) await handOverUntold(departure, installer);
  if (departure.provisionUuid === undefined) await installer.leave(how, signal);
  else await leaveAfterRun({ how, provisionUuid: departure.provisionUuid }, installer, context);
}

async function handOverUntold({ handOver }: Departure, { emit, log, outbox }: InstallerContext): Promise<void> {
  const untold = describeUntold(outbox);
  if (untold === null) return;
  let why = '';
  if (handOver !== null) {
    try {
      await handOver();
      log.info({ frames: outbox.size }, 'handed the reports that the server lacks to the installed system');
      return;
    } catch (error) {
      why = `. The installed system cannot take it over: ${describeError(error)}`;
    }
  }
  emit({ kind: 'notice', text: `The server does not answer and is not told: ${untold}${why}` });
}

async function leaveAfterRun(
  { how, provisionUuid }: { readonly how: LeaveBy; readonly provisionUuid: string },
  { emit, leave }: InstallerContext,
  { report, signal }: Pick<CommandContext, 'report' | 'signal'>,
): Promise<void> {
  const onFallback = (text: string): void => emit({ kind: 'notice', text });
  try {
    await leaveForSystem({ how, leave, onFallback, signal });
  } catch (thrown) {
    if (isAbortOf(thrown, signal)) throw thrown;
    const error = asProvisionError(thrown);
    const end = { outcome: 'failed', code: error.code, message: describeError(error), disk_state: 'complete' } as const;
    report({ type: 'provision_result', provision_uuid: provisionUuid, ...end });
    throw error;
  }
}
