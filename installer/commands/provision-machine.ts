import type { CommandContext, CommandHandler, CommandResult } from '../../agent/commands/command-table.ts';
import type { InstalledSystem } from '../../agent/provision/plan.ts';
import { runProvision } from '../../agent/provision/run-provision.ts';
import { describeError } from '../../core/base/describe-error.ts';
import { asProvisionError, ProvisionError } from '../../core/base/errors.ts';
import type { ProvisionArgs } from '../../protocol/commands.ts';
import type { InstallerContext, LastRun } from './installer-context.ts';
import { keepOutbox } from './keep-outbox.ts';
import { leaveMachine } from './leave-machine.ts';
import { prepareRequest } from './provision-request.ts';

const diskWaitMs = 2 * 60_000;

/**
 * `ProvisionMachine`: the whole installation, its events to the server and to the screen, its result, and then the way
 * into the new system. A failure leaves the installer as it is, reachable and ready for the next one.
 * @param onRun Told how the run stands whenever that changes.
 */
export function provisionMachine(
  installer: InstallerContext,
  onRun: (run: LastRun) => void,
): CommandHandler<'ProvisionMachine'> {
  return {
    run: async (args, context) => {
      const { provision_uuid: provisionUuid, image, target_disk: disk } = args;
      installer.emit({ kind: 'provision_started', provisionUuid, image: image.reference, disk });
      onRun({ provisionUuid, diskState: 'untouched', isLeaving: false });
      try {
        const installed = await install(args, installer, context);
        onRun({ provisionUuid, diskState: 'complete', isLeaving: true });
        return succeeded(args, installed, { installer, context });
      } catch (thrown) {
        const error = asProvisionError(thrown);
        const diskState = error.diskState ?? 'untouched';
        onRun({ provisionUuid, diskState, isLeaving: false });
        reportFailure(error, provisionUuid, context);
        throw error;
      }
    },
    // Taken by the system before, which could only enter the installer for it: the server sends it once more. Taken by
    // an installer that has ended since: what it left on the disk is not known, and it may end there again.
    afterRestart: ({ isOtherBoot }) =>
      isOtherBoot
        ? 'again'
        : { state: 'failed', reason: 'the installer ended in the middle of the installation, and was started again' },
  };
}

async function install(
  args: ProvisionArgs,
  installer: InstallerContext,
  context: CommandContext,
): Promise<InstalledSystem> {
  const { identity, proxy, runDir, agentBundle, emit, log } = installer;
  using prepared = prepareRequest(args, {
    ...{ identity, proxy, runDir, agentBundle },
    link: installer.workingLink()?.description ?? null,
    diskWaitMs: installer.timings?.diskWaitMs ?? diskWaitMs,
  });
  const installed = await runProvision({
    request: prepared.request,
    onEvent: (event) => {
      context.report({ type: 'provision_event', event });
      emit({ kind: 'provision', event });
    },
    log,
    signal: context.signal,
    onPlan: async () => 'go',
  });
  if (installed === null) throw new ProvisionError('invariant', 'the installation ended before it began');
  return installed;
}

function succeeded(
  args: ProvisionArgs,
  installed: InstalledSystem,
  { installer, context }: { readonly installer: InstallerContext; readonly context: CommandContext },
): CommandResult {
  const { disk, rootNumber, leaveBy } = installed;
  const how = leaveBy ?? 'reboot';
  const message = `installed on ${disk}; the machine goes into the installed system by ${how}`;
  context.report({
    type: 'provision_result',
    provision_uuid: args.provision_uuid,
    outcome: 'booting',
    code: null,
    message,
    disk_state: 'complete',
  });
  const { log, outbox } = installer;
  const { signal } = context;
  const handOver = async (): Promise<void> => await keepOutbox({ disk, rootNumber, outbox, log, signal });
  return {
    state: 'done',
    reason: message,
    afterwards: async () => {
      const departure = { how, detail: `into the system on ${disk}`, provisionUuid: args.provision_uuid };
      await leaveMachine({ ...departure, handOver: args.inject_agent ? handOver : null }, installer, context);
    },
  };
}

function reportFailure(error: ProvisionError, provisionUuid: string, context: CommandContext): void {
  context.report({
    type: 'provision_result',
    provision_uuid: provisionUuid,
    outcome: error.kind === 'aborted' ? 'aborted' : 'failed',
    code: error.code,
    message: describeError(error),
    disk_state: error.diskState ?? 'untouched',
  });
}
