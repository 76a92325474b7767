import { diskStateAfter, diskStateUnsaid } from './disk-state.ts';
import { beginRun, endRun } from './end-run.ts';
import type { RunInput, RunState } from './run-state.ts';

type Input<K extends RunInput['type']> = Extract<RunInput, { type: K }>;

/** A machine that begins the same run in this many boots will not finish it in the next. */
const mostAttempts = 5;

/** One event of the installation. */
export function applyEvent(run: RunState, { bootId, event }: Input<'event'>, nowMs: number): RunState {
  const current = enterAttempt(run, bootId, nowMs);
  if (current === null || current.completedAtMs !== null) return current ?? run;
  const diskState = diskStateAfter(current, event.disk_state);
  const heard = { ...current, diskState, lastEventAtMs: nowMs };
  if (event.step === null) {
    if (event.state === 'succeeded') return applyInstalled(heard, event.message, nowMs);
    if (event.state === 'failed' || event.state === 'aborted') {
      return endBadly(heard, event.state, { code: event.code ?? null, message: event.message, diskState }, nowMs);
    }
  }
  // What comes after the end of the installation tells of the past.
  if (current.bootingAtMs !== null) return heard;
  return {
    ...heard,
    currentStep: event.step ?? current.currentStep,
    currentMessage: event.message,
    // Never back within an attempt; 100 belongs to the end of the run.
    progressPercent: Math.max(current.progressPercent, Math.min(99, event.percent)),
    bytesDone: event.bytes_done,
    bytesTotal: event.bytes_total,
    rateBps: event.rate_bps,
  };
}

/** How the installation ended, as the installer saw it. */
export function applyResult(run: RunState, input: Input<'result'>, nowMs: number): RunState {
  const current = enterAttempt(run, input.bootId, nowMs);
  if (current === null || current.completedAtMs !== null) return current ?? run;
  const diskState = diskStateAfter(current, input.diskState);
  const heard = { ...current, diskState, lastEventAtMs: nowMs };
  const { outcome, code, message } = input;
  if (outcome === 'booting') return applyInstalled(heard, message, nowMs);
  return endBadly(heard, outcome, { code, message, diskState }, nowMs);
}

/** A machine says hello, in whatever system. */
export function applyHello(run: RunState, input: Input<'hello'>, nowMs: number): RunState {
  if (run.status !== 'in_progress') return run;
  if (input.mode === 'installed' && input.system === 'this') {
    const here: RunState = {
      ...run,
      currentStep: 'cloud_init',
      currentMessage: 'the installed system is here; waiting for the end of cloud-init',
      rateBps: null,
      diskState: 'complete',
      bootingAtMs: run.bootingAtMs ?? nowMs,
      helloAtMs: run.helloAtMs ?? nowMs,
      lastEventAtMs: nowMs,
    };
    return settleCloudInit(here, nowMs);
  }
  const isSameBoot = run.bootIds.includes(input.bootId);
  const hasInstalled = run.bootingAtMs !== null || run.bootIds.length > 0;
  if (input.mode === 'installed' && hasInstalled && !isSameBoot) {
    const message = describeOther(run, input);
    return endRun(run, { status: 'error', code: 'booted_another_system', message }, nowMs);
  }
  // No event: a machine that restarts for ever, or whose link comes and goes, would never end.
  return run.bootingAtMs === null ? { ...run, lastHelloAtMs: nowMs } : run;
}

function describeOther({ bootingAtMs }: RunState, { system, rootDisk }: Input<'hello'>): string {
  if (system === 'copy') return `the machine has booted a copy of the installed system, on another disk (${rootDisk})`;
  return bootingAtMs === null
    ? 'the machine has left the installer before the installation was complete, and booted another system'
    : 'the machine has booted another system than the one that was installed';
}

/** What cloud-init of the installed system reports. */
export function applyCloudInit(run: RunState, { report }: Input<'cloud_init'>, nowMs: number): RunState {
  if (run.status !== 'in_progress') return run;
  return settleCloudInit({ ...run, cloudInit: report, lastEventAtMs: nowMs }, nowMs);
}

/** The installed system is there and cloud-init has ended: the outcome is known. */
function settleCloudInit(run: RunState, nowMs: number): RunState {
  const { cloudInit } = run;
  if (run.helloAtMs === null || cloudInit === null) return run;
  if (cloudInit.status !== 'error' && cloudInit.errors.length === 0) {
    const message = cloudInit.status === 'absent' ? 'installed; the image has no cloud-init' : 'installed';
    return endRun(run, { status: 'completed', code: null, message }, nowMs);
  }
  const errors = cloudInit.errors.length === 0 ? 'it named none' : cloudInit.errors.join('; ');
  const message = `the system is installed, but cloud-init reported errors: ${errors}`;
  return endRun(run, { status: 'degraded', code: 'cloud_init_errors', message }, nowMs);
}

/** Everything is on the disk and the machine leaves for it. */
function applyInstalled(run: RunState, message: string, nowMs: number): RunState {
  if (run.helloAtMs !== null) return run;
  const booting: RunState = {
    ...run,
    currentStep: 'booting',
    currentMessage: message,
    progressPercent: 99,
    rateBps: null,
    diskState: 'complete',
    bootingAtMs: run.bootingAtMs ?? nowMs,
  };
  if (run.injectAgent) return booting;
  const said = 'installed; the system has no agent that could confirm it';
  return endRun({ ...booting, isUnconfirmed: true }, { status: 'completed', code: null, message: said }, nowMs);
}

interface BadEnd {
  readonly code: string | null;
  readonly message: string;
  readonly diskState: string | null;
}

function endBadly(run: RunState, outcome: 'failed' | 'aborted', end: BadEnd, nowMs: number): RunState {
  // The installed system is proof enough that the installation did not fail.
  if (run.helloAtMs !== null) return run;
  const status = outcome === 'failed' ? 'error' : 'canceled';
  return endRun(run, { ...end, status, code: end.code ?? (outcome === 'failed' ? 'unknown' : 'aborted') }, nowMs);
}

/**
 * The run in the attempt that this boot makes: a boot that was not heard of begins a new one, whose percentage starts
 * at 0. Null for an attempt that is over: its late words change nothing.
 */
function enterAttempt(run: RunState, bootId: string, nowMs: number): RunState | null {
  if (run.commandUuid === null) return null;
  const begun = beginRun(run, nowMs);
  const index = begun.bootIds.indexOf(bootId);
  if (index !== -1) return index === begun.bootIds.length - 1 ? begun : null;
  // An installed system hands in what its installer could not: it does not install.
  if (begun.helloAtMs !== null) return null;
  const bootIds = [...begun.bootIds, bootId];
  if (bootIds.length === 1) return { ...begun, bootIds };
  if (bootIds.length > mostAttempts) {
    const message = `the machine has begun this installation ${bootIds.length} times without ending it`;
    return endRun(begun, { status: 'error', code: 'too_many_attempts', message }, nowMs);
  }
  const diskState = diskStateUnsaid(begun);
  return { ...begun, bootIds, progressPercent: 0, bytesDone: null, bytesTotal: null, diskState, bootingAtMs: null };
}
