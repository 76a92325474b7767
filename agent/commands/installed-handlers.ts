import { sleep } from '../../core/base/abort.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import { type LeaveBy, rebootMachine } from '../boot/reboot.ts';
import { collectLogs, installedLogSources, type LogSources } from './collect-logs.ts';
import type { CommandContext, CommandHandler, CommandHandlers, CommandResult } from './command-table.ts';
import { type ReentryHandlersOptions, reentryHandlers } from './reentry-handlers.ts';

export interface InstalledHandlersOptions {
  /** Injectable for tests: leaves the running system. */
  readonly leave?: (how: LeaveBy, signal: AbortSignal) => Promise<void>;
  readonly logSources?: LogSources;
  /** How long a machine may take to go down after it was told to; default 10 minutes. */
  readonly goingDownMs?: number;
  /** What the way into the installer needs; without it the commands that go there are rejected. */
  readonly reentry?: Omit<ReentryHandlersOptions, 'leave' | 'goingDownMs'>;
}

const farewellMs = 5000;
const notHere = (what: string) => ({ rejectedBecause: `this version of the agent cannot ${what}` });

/** What the agent of an installed system does, and why it does not do the rest. */
export function installedHandlers(options: InstalledHandlersOptions = {}): CommandHandlers {
  const leave = options.leave ?? (async (how, signal) => await rebootMachine({ how, signal }));
  const goingDownMs = options.goingDownMs ?? 10 * 60_000;
  return {
    Reboot: leaving('reboot', { leave, goingDownMs }),
    PowerOff: leaving('poweroff', { leave, goingDownMs }),
    CollectLogs: {
      run: async ({ since }, context) => {
        const sources = options.logSources ?? installedLogSources;
        let lineCount = 0;
        for await (const lines of collectLogs({ sources, since, signal: context.signal })) {
          context.report({ type: 'log', command_uuid: context.commandUuid, lines });
          lineCount += lines.length;
        }
        return { state: 'done', reason: `${lineCount} lines` };
      },
    },
    ...reentryOf(options, { leave, goingDownMs }),
    UpdateAgent: notHere('update itself: run install.sh again'),
    BootInstalledSystem: { rejectedBecause: 'the installed system is running already' },
  };
}

function reentryOf(
  { reentry }: InstalledHandlersOptions,
  leaving: Required<Pick<InstalledHandlersOptions, 'leave' | 'goingDownMs'>>,
): Pick<CommandHandlers, 'ProvisionMachine' | 'EnterInstaller' | 'CancelProvision'> {
  if (reentry !== undefined) return reentryHandlers({ ...reentry, ...leaving });
  return {
    ProvisionMachine: notHere('install: boot the machine into the installer'),
    EnterInstaller: notHere('enter the installer by itself: boot the machine from network or ISO'),
    CancelProvision: { rejectedBecause: 'no installation runs on the installed system' },
  };
}

/** The outcome is known when the agent is there again: with another boot id the machine did go down. */
function leaving(
  how: LeaveBy,
  { leave, goingDownMs }: Required<Pick<InstalledHandlersOptions, 'leave' | 'goingDownMs'>>,
): CommandHandler<'Reboot' | 'PowerOff'> {
  return {
    run: async (_args: unknown, { flush, signal }: CommandContext): Promise<CommandResult> => {
      await flush(farewellMs);
      await leave(how, signal);
      await sleep(goingDownMs, signal);
      const minutes = Math.round(goingDownMs / 60_000);
      throw new ProvisionError('tool_failed', `the machine still runs ${minutes} minutes after it was told to go down`);
    },
    afterRestart: ({ isOtherBoot }) =>
      isOtherBoot
        ? { state: 'done', reason: null }
        : { state: 'failed', reason: 'the agent was started again, the machine was not' },
  };
}
