import { join } from 'node:path';
import type { LeaveBy } from '../../agent/boot/reboot.ts';
import { collectLogs } from '../../agent/commands/collect-logs.ts';
import type { CommandContext, CommandHandler, CommandHandlers } from '../../agent/commands/command-table.ts';
import { diskStateSentences } from '../../core/base/disk-state-sentence.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import { commandArgs } from '../../protocol/commands.ts';
import { bootInstalledSystem } from './boot-installed-system.ts';
import type { InstallerContext, LastRun } from './installer-context.ts';
import { leaveMachine } from './leave-machine.ts';
import { provisionMachine } from './provision-machine.ts';

/** What the installer does, and why it does not do the rest. */
export function installerHandlers(installer: InstallerContext): CommandHandlers {
  let lastRun: LastRun | null = null;
  const onRun = (run: LastRun): void => {
    lastRun = run;
  };
  return {
    ProvisionMachine: provisionMachine(installer, onRun),
    CancelProvision: { run: async (args, context) => await cancel(args.provision_uuid, context, () => lastRun) },
    BootInstalledSystem: bootInstalledSystem(installer),
    Reboot: leaving('reboot', 'the machine restarts', installer),
    PowerOff: leaving('poweroff', 'the machine switches itself off', installer),
    CollectLogs: {
      run: async ({ since }, context) => {
        const path = join(installer.runDir, 'installer.log');
        const sources = { files: [`${path}.1`, path], programs: [['dmesg']] as const };
        let lineCount = 0;
        for await (const lines of collectLogs({ sources, since, signal: context.signal })) {
          context.report({ type: 'log', command_uuid: context.commandUuid, lines });
          lineCount += lines.length;
        }
        return { state: 'done', reason: `${lineCount} lines` };
      },
    },
    EnterInstaller: {
      rejectedBecause: 'the installer is running already',
      afterRestart: ({ isOtherBoot }) =>
        isOtherBoot ? { state: 'done', reason: null } : { state: 'failed', reason: 'the machine was not restarted' },
    },
    UpdateAgent: {
      rejectedBecause: 'the installer comes with the kernel that was booted: boot a newer one, nothing of it is kept',
    },
  };
}

/**
 * The outcome goes out first: nothing of the installer's memory is left afterwards, so that a command without an outcome
 * would be given to the next start again, and again.
 */
function leaving(how: LeaveBy, reason: string, installer: InstallerContext): CommandHandler<'Reboot' | 'PowerOff'> {
  return {
    run: async (_args: unknown, context) => ({
      state: 'done',
      reason,
      afterwards: async () => await leaveMachine({ how, detail: reason, handOver: null }, installer, context),
    }),
    afterRestart: ({ isOtherBoot }) =>
      isOtherBoot
        ? { state: 'done', reason: null }
        : { state: 'failed', reason: 'the installer was started again, the machine was not' },
  };
}

async function cancel(provisionUuid: string, context: CommandContext, lastRun: () => LastRun | null) {
  const running = context.running('system');
  const args = running?.kind === 'ProvisionMachine' ? commandArgs.ProvisionMachine.safeParse(running.args) : null;
  if (running === null || args?.data?.provision_uuid !== provisionUuid) {
    throw new ProvisionError('command_not_done', 'this installation does not run here');
  }
  if (lastRun()?.isLeaving === true) {
    const message = 'the installation has ended: the system is complete and the machine leaves for it';
    throw new ProvisionError('command_not_done', message);
  }
  await running.abort(new ProvisionError('aborted', 'an operator has canceled the installation'));
  const { diskState } = lastRun() ?? { diskState: 'untouched' as const };
  return { state: 'done', reason: `canceled. ${diskStateSentences[diskState]}` } as const;
}
