import { endRun } from './end-run.ts';
import type { RunState, TimeFacts } from './run-state.ts';
import { withoutFuture } from './without-future.ts';

/** Longest silence of an installer that is connected. */
export const installerSilenceMs = 15 * 60_000;
/** How long cloud-init of an installed system may take from its hello on. */
export const cloudInitPatienceMs = 10 * 60_000;
/** How long a machine that was asked to stop may take to say that it has. */
export const cancelPatienceMs = 5 * 60_000;
/** Words of an installer that leaves for the installed system come no later than this after it has said so. */
const leavingMs = 30_000;

/** How long ago a time was, as far as this server has been listening. */
type Since = (timeMs: number | null) => number;

/** The run at this time: it ends when what it waits for takes too long (protocol.md, "Agent socket"). */
export function applyTime(given: RunState, facts: TimeFacts, nowMs: number): RunState {
  const run = withoutFuture(given, nowMs);
  const since: Since = (timeMs) => nowMs - Math.max(timeMs ?? 0, facts.observedSinceMs);
  if (run.helloAtMs !== null) {
    if (since(run.helloAtMs) < cloudInitPatienceMs) return run;
    const message = `the system is installed, but cloud-init has not ended ${minutes(cloudInitPatienceMs)} after its start`;
    return endRun(run, { status: 'degraded', code: 'cloud_init_unfinished', message }, nowMs);
  }
  if (run.cancelRequestedAtMs !== null && since(run.cancelRequestedAtMs) >= cancelPatienceMs) {
    const message = `canceled; the machine did not say within ${minutes(cancelPatienceMs)} that it has stopped`;
    return endRun(run, { status: 'canceled', code: 'aborted', message }, nowMs);
  }
  // A queued run waits for ever.
  const patienceMs = run.status === 'in_progress' ? endedPatience(run, facts, since) : null;
  if (patienceMs === null) return run;
  const message = reasonOf(run, facts, patienceMs);
  const disk = isInOldSystem(run, facts) ? { diskState: 'untouched' } : {};
  return endRun(run, { status: 'timeout', code: 'timeout', message, ...disk }, nowMs);
}

/** The patience with the machine that is at its end, in milliseconds; null while there is some left. */
function endedPatience(run: RunState, facts: TimeFacts, since: Since): number | null {
  const { bootTimeoutMs } = facts;
  const silenceMs = since(run.bootingAtMs ?? Math.max(run.lastEventAtMs ?? 0, run.startedAtMs ?? 0));
  const ended = (patienceMs: number): number | null => (silenceMs >= patienceMs ? patienceMs : null);
  if (!isThere(run, facts)) return ended(bootTimeoutMs);
  // A machine that has left for the installed system and is still in the installer gets the time of an installer, too.
  if (run.bootingAtMs !== null) return ended(Math.min(installerSilenceMs, bootTimeoutMs));
  // Whoever is just back may have much to tell; a link that comes and goes is not always just back.
  const isJustBack = since(run.lastHelloAtMs) < installerSilenceMs;
  return ended(isJustBack ? Math.max(installerSilenceMs, bootTimeoutMs) : installerSilenceMs);
}

/** The machine has not been in an installer that had the command. */
function isInOldSystem({ bootIds }: RunState, { mode }: TimeFacts): boolean {
  return mode === 'installed' && bootIds.length === 0;
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
  if (isInOldSystem(run, facts)) {
    return `the machine left for the installer and has not been heard of for ${time}; switch it off and on: it then boots the system that it had`;
  }
  return `the machine has not been heard of for ${time}; it may need boot media (network or ISO) to come back`;
}

function minutes(milliseconds: number): string {
  const count = Math.round(milliseconds / 60_000);
  return count === 1 ? '1 minute' : `${count} minutes`;
}
