import { applyCloudInit, applyEvent, applyHello, applyResult } from './apply-report.ts';
import { applyTime } from './apply-time.ts';
import { diskStateUnsaid } from './disk-state.ts';
import { beginRun, endRun } from './end-run.ts';
import { isTerminal, type RunInput, type RunState } from './run-state.ts';

type Handlers = {
  readonly [K in RunInput['type']]: (run: RunState, input: Extract<RunInput, { type: K }>, nowMs: number) => RunState;
};

const handlers: Handlers = {
  prepared: (run, { commandUuid, message }) =>
    run.status === 'queued' ? { ...run, commandUuid, currentMessage: message } : run,
  render_failed: (run, { message }, nowMs) =>
    run.status === 'queued' ? endRun(run, { status: 'render_failed', code: 'render_failed', message }, nowMs) : run,
  prepare_failed: (run, { code, message }, nowMs) =>
    run.status === 'queued' ? endRun(run, { status: 'error', code, message, diskState: 'untouched' }, nowMs) : run,
  waiting: applyWaiting,
  accepted: applyAccepted,
  refused: applyRefusal,
  event: applyEvent,
  result: applyResult,
  hello: applyHello,
  cloud_init: applyCloudInit,
  cancel: applyCancel,
  cancel_refused: (run, { reason }) =>
    run.cancelRequestedAtMs === null
      ? run
      : {
          ...run,
          cancelRequestedAtMs: null,
          currentMessage: `the machine did not cancel: ${reason ?? 'no reason given'}`,
        },
  restart: applyRestart,
  time: (run, { facts }, nowMs) => applyTime(run, facts, nowMs),
};

/**
 * What becomes of a run when something happens to it. A run that has ended stays as it is, whatever comes late:
 * every run has exactly one outcome. Gives the very object it was given when nothing changes.
 */
export function advanceRun(run: RunState, input: RunInput, nowMs: number): RunState {
  if (isTerminal(run.status)) return run;
  // The type of the table guarantees that a handler takes the inputs of its own type.
  return (handlers[input.type] as (run: RunState, input: RunInput, nowMs: number) => RunState)(run, input, nowMs);
}

function applyWaiting(run: RunState, { message }: Extract<RunInput, { type: 'waiting' }>): RunState {
  const isSaid = run.status !== 'queued' || run.currentMessage === message || run.cancelRequestedAtMs !== null;
  return isSaid ? run : { ...run, currentMessage: message };
}

function applyAccepted(run: RunState, { message }: Extract<RunInput, { type: 'accepted' }>, nowMs: number): RunState {
  if (run.commandUuid === null) return run;
  const begun = beginRun(run, nowMs);
  // Once the installer has spoken, what the system before did is of the past.
  const isOnItsWay = begun.currentStep === 'entering_installer' && begun.bootIds.length === 0;
  if (message === undefined || message === null || !isOnItsWay || begun.cancelRequestedAtMs !== null) return begun;
  return { ...begun, currentMessage: message, lastEventAtMs: nowMs };
}

function applyRefusal(run: RunState, input: Extract<RunInput, { type: 'refused' }>, nowMs: number): RunState {
  // Once the machine has left for the installed system, what became of the command is of no interest.
  if (run.bootingAtMs !== null) return run;
  const reason = input.reason ?? 'no reason given';
  // No installer has begun with it.
  const disk = run.bootIds.length === 0 ? { diskState: 'untouched' } : {};
  if (input.state === 'canceled') {
    return endRun(run, { status: 'canceled', code: 'aborted', message: reason, ...disk }, nowMs);
  }
  const what = input.state === 'rejected' ? 'refused the command' : 'could not carry out the command';
  const code = input.state === 'rejected' ? 'command_rejected' : 'command_failed';
  const message = `the machine ${what}: ${reason}`;
  return endRun(run, { status: 'error', code, message, ...disk }, nowMs);
}

function applyCancel(run: RunState, { reach }: Extract<RunInput, { type: 'cancel' }>, nowMs: number): RunState {
  const canceled = (message: string, diskState: string | null): RunState =>
    endRun(run, { status: 'canceled', code: 'aborted', message, diskState }, nowMs);
  if (run.bootingAtMs !== null) return canceled('canceled after the system was installed', 'complete');
  if (run.commandUuid === null || reach === 'none') {
    // An attempt before the machine was adopted may have left its traces.
    return canceled('canceled before it began', run.bootIds.length === 0 ? 'untouched' : null);
  }
  if (reach !== 'connected') {
    return canceled('canceled while the machine was not connected; it is told to stop when it is back', null);
  }
  if (run.cancelRequestedAtMs !== null) return run;
  return { ...run, cancelRequestedAtMs: nowMs, currentMessage: 'asked the machine to stop' };
}

function applyRestart(run: RunState, input: Extract<RunInput, { type: 'restart' }>, nowMs: number): RunState {
  if (run.status !== 'in_progress') return run;
  return {
    ...run,
    commandUuid: input.commandUuid,
    currentStep: 'entering_installer',
    currentMessage: input.message,
    progressPercent: 0,
    bytesDone: null,
    bytesTotal: null,
    rateBps: null,
    diskState: diskStateUnsaid(run),
    cloudInit: null,
    bootingAtMs: null,
    helloAtMs: null,
    lastHelloAtMs: null,
    lastEventAtMs: nowMs,
  };
}
