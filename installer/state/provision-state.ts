import type { DiskState } from '../../core/base/errors.ts';
import { type ProvisionEvent, type StepId, stepIds } from '../../protocol/provision-event.ts';

export type StepMark = 'waiting' | 'running' | 'succeeded' | 'warning' | 'skipped' | 'failed' | 'aborted';

export interface StepState {
  readonly mark: StepMark;
  /** What it said last; empty until it said something. */
  readonly message: string;
}

/** How an installation ended. */
export interface ProvisionOutcome {
  readonly state: 'succeeded' | 'failed' | 'aborted';
  readonly code: string | null;
  readonly message: string;
  readonly diskState: DiskState | null;
}

/** One installation as its events have told it so far. */
export interface ProvisionState {
  readonly provisionUuid: string;
  /** Null when its start was not seen. */
  readonly image: string | null;
  readonly disk: string | null;
  readonly steps: Readonly<Record<StepId, StepState>>;
  readonly currentStep: StepId | null;
  readonly percent: number;
  readonly bytesDone: number | null;
  readonly bytesTotal: number | null;
  readonly rateBps: number | null;
  /** Null while it runs. */
  readonly outcome: ProvisionOutcome | null;
  readonly lastSeq: number;
}

const waiting: StepState = { mark: 'waiting', message: '' };

/** An installation of which nothing but its start is known. */
export function provisionFrom(start: Pick<ProvisionState, 'provisionUuid' | 'image' | 'disk'>): ProvisionState {
  return {
    provisionUuid: start.provisionUuid,
    image: start.image,
    disk: start.disk,
    steps: {
      image_inspection: waiting,
      bootloader_streaming: waiting,
      partition_resize: waiting,
      layer_extraction: waiting,
      cloud_init_configuration: waiting,
      agent_injection: waiting,
      sync_and_reboot: waiting,
    },
    currentStep: null,
    percent: 0,
    bytesDone: null,
    bytesTotal: null,
    rateBps: null,
    outcome: null,
    lastSeq: 0,
  };
}

/** An event that is older than what is known changes nothing; the percentage never goes back. */
export function reduceProvision(state: ProvisionState, event: ProvisionEvent): ProvisionState {
  if (event.seq <= state.lastSeq || state.outcome !== null) return state;
  const disk = event.facts?.['disk'];
  const next = {
    ...state,
    lastSeq: event.seq,
    percent: Math.max(state.percent, event.percent),
    disk: typeof disk === 'string' ? disk : state.disk,
  };
  if (event.step === null) return ended(next, event);
  const isOver = event.state !== 'started' && event.state !== 'progress';
  return {
    ...next,
    steps: { ...state.steps, [event.step]: stepAfter(state.steps[event.step], event) },
    currentStep: event.step,
    bytesDone: isOver ? null : event.bytes_done,
    bytesTotal: isOver ? null : event.bytes_total,
    rateBps: isOver ? null : event.rate_bps,
  };
}

function stepAfter(step: StepState, event: ProvisionEvent): StepState {
  const mark: StepMark = event.state === 'started' || event.state === 'progress' ? 'running' : event.state;
  return { mark, message: event.message === '' ? step.message : event.message };
}

function ended(state: ProvisionState, event: ProvisionEvent): ProvisionState {
  // A last event without a final state is none; better shown as it was than as a success.
  if (event.state !== 'succeeded' && event.state !== 'failed' && event.state !== 'aborted') return state;
  return {
    ...state,
    steps: event.state === 'succeeded' ? state.steps : withoutRunning(state.steps, event.state),
    bytesDone: null,
    bytesTotal: null,
    rateBps: null,
    outcome: {
      state: event.state,
      code: event.code ?? null,
      message: event.message,
      diskState: event.disk_state ?? null,
    },
  };
}

/** The step that was running when the installation ended has ended with it. */
function withoutRunning(steps: ProvisionState['steps'], mark: 'failed' | 'aborted'): ProvisionState['steps'] {
  const after = { ...steps };
  for (const id of stepIds) if (after[id].mark === 'running') after[id] = { ...after[id], mark };
  return after;
}
