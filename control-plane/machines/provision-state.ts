import type { MachineListItem } from '../../protocol/api/machines.ts';
import type { LastRun } from './last-runs.ts';

export interface ProvisionStateFacts {
  readonly run: LastRun | null;
  /** The installer is running on the machine now. */
  readonly isInInstaller: boolean;
  /** The provision that the machine's system says it is of; null for a system that durantic has not installed. */
  readonly installedProvisionUuid: string | null;
}

/** The word that the machine list shows for a machine's installation. */
export function provisionStateOf({
  run,
  isInInstaller,
  installedProvisionUuid,
}: ProvisionStateFacts): MachineListItem['provision_state'] {
  switch (run?.summary.status) {
    case 'queued':
      return 'Install pending';
    case 'in_progress':
      return 'Installing';
    case 'error':
    case 'timeout':
    case 'render_failed':
      return 'Failed';
    case 'canceled':
      // Its disk was touched, or may have been: what was there before is gone, or nobody knows.
      if (run.diskState !== 'untouched' && run.diskState !== 'complete') return 'Failed';
      break;
    default:
      break;
  }
  const isInstalled = run?.hasInstalled === true || installedProvisionUuid !== null;
  return isInInstaller || !isInstalled ? 'Discovery mode' : 'Installed';
}
