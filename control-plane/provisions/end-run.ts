import type { RunStatus } from '../../protocol/api/provisions.ts';
import { diskStateUnsaid } from './disk-state.ts';
import type { RunState } from './run-state.ts';

export interface RunEnd {
  readonly status: Exclude<RunStatus, 'queued' | 'in_progress'>;
  readonly message: string;
  /** Of docs/errors.md or one of the run's own; null for `completed`. */
  readonly code: string | null;
  /** Where the end itself tells it; else it is what was heard before. */
  readonly diskState?: string | null;
}

/** The run with its one outcome. A run that installed stands at 100, any other where it stopped. */
export function endRun(run: RunState, end: RunEnd, nowMs: number): RunState {
  const isInstalled = end.status === 'completed' || end.status === 'degraded';
  return {
    ...run,
    status: end.status,
    currentMessage: end.message,
    progressPercent: isInstalled ? 100 : run.progressPercent,
    rateBps: null,
    errorCode: end.status === 'completed' ? null : end.code,
    errorMessage: end.status === 'completed' ? null : end.message,
    diskState: isInstalled ? 'complete' : (end.diskState ?? diskStateUnsaid(run)),
    completedAtMs: nowMs,
  };
}

/** The run as begun, if it was not yet. */
export function beginRun(run: RunState, nowMs: number): RunState {
  if (run.status !== 'queued') return run;
  return {
    ...run,
    status: 'in_progress',
    currentStep: 'entering_installer',
    currentMessage: 'the machine has taken the command',
    startedAtMs: run.startedAtMs ?? nowMs,
    lastEventAtMs: nowMs,
  };
}
