import { endRun } from './end-run.ts';
import type { RunState, TimeFacts } from './run-state.ts';

/** Longest silence of an installer that is connected. */
export const installerSilenceMs = 15 * 60_000;
/** How long cloud-init of an installed system may take from its hello on. */
export const cloudInitPatienceMs = 10 * 60_000;
/** How long a machine that was asked to stop may take to say that it has. */
export const cancelPatienceMs = 5 * 60_000;
/** Words of an installer that leaves for the installed system come no later than this after it has said so. */
const leavingMs = 30_000;

/** The run at this time: it ends when what it waits for takes too long (protocol.md, "Agent socket"). */
export function applyTime(run: RunState, facts: TimeFacts, nowMs: number): RunState {
  if (run.status !== 'in_progress') return run;
  const since = (timeMs: number | null): number => nowMs - Math.max(timeMs ?? 0, facts.observedSinceMs);
  if (run.helloAtMs !== null) {
    if (since(run.helloAtMs) < cloudInitPatienceMs) return run;
    const message = `the system is installed, but cloud-init has not ended ${minutes(cloudInitPatienceMs)} after its start`;
    return endRun(run, { status: 'degraded', code: 'cloud_init_unfinished', message }, nowMs);
  }
  if (run.cancelRequestedAtMs !== null && since(run.cancelRequestedAtMs) >= cancelPatienceMs) {
    const message = `canceled; the machine did not say within ${minutes(cancelPatienceMs)} that it has stopped`;
    return endRun(run, { status: 'canceled', code: 'aborted', message }, nowMs);
  }
  const lastMs = run.bootingAtMs ?? Math.max(run.lastEventAtMs ?? 0, run.startedAtMs ?? 0);
  const isInInstaller = isThere(run, facts);
  const patienceMs = isInInstaller ? Math.min(installerSilenceMs, patienceOf(run, facts)) : facts.bootTimeoutMs;
  if (since(lastMs) < patienceMs) return run;
  return endRun(run, { status: 'timeout', code: 'timeout', message: reasonOf(run, facts, patienceMs) }, nowMs);
}

// A machine that has left for the installed system and is still in the installer gets the time of an installer, too.
function patienceOf(run: RunState, facts: TimeFacts): number {
  return run.bootingAtMs === null ? installerSilenceMs : facts.bootTimeoutMs;
}

/**
 * Whether the machine is in an installer. A connection that kexec or a power cut left open says nothing: who has left
 * must have been heard of since.
 */
function isThere({ bootingAtMs }: RunState, { isConnected, mode, heardAtMs }: TimeFacts): boolean {
  const isHeardOf = bootingAtMs === null || (heardAtMs ?? 0) > bootingAtMs + leavingMs;
  return isConnected && mode === 'installer' && isHeardOf;
}

function reasonOf(run: RunState, facts: TimeFacts, patienceMs: number): string {
  const time = minutes(patienceMs);
  if (run.bootingAtMs !== null) {
    return isThere(run, facts)
      ? `the machine is in the installer again ${time} after it left for the installed system; does it still boot from other media?`
      : `the installed system has not connected ${time} after the machine left for it`;
  }
  if (isThere(run, facts)) return `the installer is connected but has said nothing for ${time}`;
  if (facts.isConnected) return `the machine has not entered the installer within ${time}`;
  if (facts.mode === 'installed' && run.bootIds.length === 0) {
    return `the machine left for the installer and has not been heard of for ${time}; switch it off and on: it then boots the system that it had`;
  }
  return `the machine has not been heard of for ${time}; it may need boot media (network or ISO) to come back`;
}

function minutes(milliseconds: number): string {
  const count = Math.round(milliseconds / 60_000);
  return count === 1 ? '1 minute' : `${count} minutes`;
}
