import { join } from 'node:path';
import { CommandLedger, type LedgerState } from '../agent/commands/command-ledger.ts';
import { readBootId } from '../agent/hardware/read-load.ts';
import type { Outbox } from '../agent/link/outbox.ts';
import { openOutbox } from '../agent/link/outbox-folder.ts';
import { describeError } from '../core/base/describe-error.ts';
import type { ProvisionError } from '../core/base/errors.ts';
import type { InstallerEvent } from './state/installer-events.ts';

/** What the agent remembers of this boot. */
export interface Reports {
  readonly outbox: Outbox;
  readonly ledger: CommandLedger;
}

export interface OpenReportsOptions {
  /** `/run/durantic`: in memory, so that they outlive the installer's process and nothing else. */
  readonly runDir: string;
  /** The ledger that the old system has handed over. */
  readonly carried: LedgerState | null;
  readonly emit: (event: InstallerEvent) => void;
}

/**
 * Outbox and ledger in the installer's memory: an installer that crashed and was started again neither loses outcomes
 * nor does a command twice.
 */
export async function openReports({ runDir, carried, emit }: OpenReportsOptions): Promise<Reports> {
  const onProblem = (error: ProvisionError): void => emit({ kind: 'notice', text: describeError(error) });
  const bootId = (await readBootId()) ?? 'unknown-boot';
  return {
    outbox: openOutbox({ dir: join(runDir, 'outbox'), bootId, onProblem }),
    ledger: new CommandLedger({
      path: join(runDir, 'commands.json'),
      onProblem,
      ...(carried === null ? {} : { carried }),
    }),
  };
}
