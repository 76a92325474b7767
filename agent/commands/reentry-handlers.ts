import { diskStateSentences } from '../../core/base/disk-state-sentence.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import { commandArgs } from '../../protocol/commands.ts';
import { isSecureBoot } from '../boot/kexec-obstacle.ts';
import { type EnterInstallerOptions, enterInstaller } from '../reentry/enter-installer.ts';
import type { ReentryRecord } from '../reentry/reentry-record.ts';
import type { CommandContext, CommandHandler, CommandOutcome, CommandResult, RestartFacts } from './command-table.ts';

export interface ReentryHandlersOptions extends EnterInstallerOptions {
  /** What the last attempt had prepared when this agent started; null when there was none. */
  readonly returned: ReentryRecord | null;
  /** `/sys`, injectable for tests. */
  readonly sysDir?: string;
}

export interface ReentryHandlers {
  readonly ProvisionMachine: CommandHandler<'ProvisionMachine'>;
  readonly EnterInstaller: CommandHandler<'EnterInstaller'>;
  readonly CancelProvision: CommandHandler<'CancelProvision'>;
}

/** Failure row F55. */
const secureBoot =
  'Secure Boot is on, the installer is not signed by an enrolled key: start the machine from media that were built with --sign, or switch Secure Boot off';

/** The commands that lead from the installed system into the installer, and the one that stops it on the way. */
export function reentryHandlers(options: ReentryHandlersOptions): ReentryHandlers {
  let isLeaving = false;
  const onLeaving = (): void => {
    isLeaving = true;
  };
  const enter = async (useKexec: boolean, context: CommandContext): Promise<CommandResult> => {
    isLeaving = false;
    try {
      return await enterInstaller({ useKexec, onLeaving }, options, context);
    } finally {
      isLeaving = false;
    }
  };
  const refusal = (): string | null => (isSecureBoot(options.sysDir) ? secureBoot : null);
  const afterRestart = (facts: RestartFacts): CommandOutcome => outcomeOf(facts, options.returned);
  return {
    // Installing begins in the installer, which is given the command once more.
    ProvisionMachine: {
      refusal,
      run: async ({ kexec_installer: useKexec }, context) => await enter(useKexec, context),
      afterRestart,
    },
    EnterInstaller: {
      refusal,
      run: async ({ kexec }, context) => await enter(kexec === 'auto', context),
      afterRestart,
    },
    CancelProvision: {
      run: async ({ provision_uuid: provisionUuid }, context) =>
        await cancel(provisionUuid, { context, isLeaving: () => isLeaving }),
    },
  };
}

/** This system runs, so the installer was not reached, or it has ended again. */
function outcomeOf({ commandUuid, isOtherBoot }: RestartFacts, returned: ReentryRecord | null): CommandOutcome {
  const record = returned?.command_uuid === commandUuid ? returned : null;
  const failed = (reason: string): CommandOutcome => ({ state: 'failed', reason });
  if (!isOtherBoot) return failed('the agent was started again before the machine had left for the installer');
  if (record?.has_left !== true) {
    return failed('the machine was started again before it had left for the installer, and is in its old system');
  }
  return failed(
    `the machine left for the installer, but its old system is back (${record.said}); nothing was changed on its disks by this system`,
  );
}

async function cancel(
  provisionUuid: string,
  { context, isLeaving }: { readonly context: CommandContext; readonly isLeaving: () => boolean },
): Promise<CommandResult> {
  const running = context.running('system');
  const args = running?.kind === 'ProvisionMachine' ? commandArgs.ProvisionMachine.safeParse(running.args) : null;
  if (running === null || args?.data?.provision_uuid !== provisionUuid) {
    throw new ProvisionError('command_not_done', 'no installation runs on the installed system');
  }
  if (isLeaving()) {
    const message = 'the machine is leaving for the installer, which will find nothing to install';
    throw new ProvisionError('command_not_done', message);
  }
  await running.abort(new ProvisionError('aborted', 'an operator has canceled the installation'));
  return { state: 'done', reason: `canceled. ${diskStateSentences.untouched}` };
}
