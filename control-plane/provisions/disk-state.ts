import type { RunState } from './run-state.ts';

type Known = Pick<RunState, 'diskState' | 'bootIds'>;

/**
 * The state of the disk after the machine has said one. `untouched` speaks of the present attempt alone: it takes back
 * nothing that was heard before, and of what earlier attempts did unheard it knows nothing.
 */
export function diskStateAfter(run: Known, said: string | null | undefined): string | null {
  if (said === undefined || said === null) return run.diskState;
  if (said === 'untouched' && (run.diskState !== null || run.bootIds.length > 1)) return run.diskState;
  return said;
}

/**
 * What is known of the disk where an attempt ends without the machine's word. After `untouched` the machine may have
 * begun to erase while its link was down: then nothing is known, which is null.
 */
export function diskStateUnsaid({ diskState }: Known): string | null {
  return diskState === 'untouched' ? null : diskState;
}
