import type { InstallerState } from './installer-state.ts';

/** What a person in front of the machine is to see now. */
export type Screen =
  | 'starting'
  | 'network'
  | 'question'
  | 'enrolling'
  | 'approval'
  | 'waiting'
  | 'provisioning'
  | 'failed'
  | 'leaving';

/**
 * What ends the installer comes first, then the installation, then what a person must do, then how far it has come on
 * its way to the server.
 */
export function screenOf(state: InstallerState): Screen {
  if (state.leaving !== null) return 'leaving';
  if (state.provision !== null) {
    const { outcome } = state.provision;
    return outcome === null || outcome.state === 'succeeded' ? 'provisioning' : 'failed';
  }
  if (state.question !== null) return 'question';
  if (state.approval !== null) return 'approval';
  if (state.version === null) return 'starting';
  if (state.workingLink === null) return 'network';
  return state.machineUuid === null ? 'enrolling' : 'waiting';
}
