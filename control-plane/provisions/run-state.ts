import type { AgentFrame, Hello } from '../../protocol/agent-frames.ts';
import type { RunStatus } from '../../protocol/api/provisions.ts';
import type { ProvisionEvent } from '../../protocol/provision-event.ts';

/** The part of a run that changes while it lives; everything that decides about its outcome is in here. */
export interface RunState {
  readonly status: RunStatus;
  readonly currentStep: string;
  readonly currentMessage: string;
  /** 0 to 100; 100 only when the run has ended as completed or degraded. */
  readonly progressPercent: number;
  readonly bytesDone: number | null;
  readonly bytesTotal: number | null;
  readonly rateBps: number | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly diskState: string | null;
  readonly isUnconfirmed: boolean;
  readonly injectAgent: boolean;
  /** The `ProvisionMachine` of the present attempt; null before it is given. */
  readonly commandUuid: string | null;
  /** Boots that have sent events of this run, oldest first; the last is the present attempt. */
  readonly bootIds: readonly string[];
  readonly cloudInit: CloudInitReport | null;
  readonly cancelRequestedAtMs: number | null;
  readonly lastEventAtMs: number | null;
  /** When the machine last said hello on its way to the installed system: it is there again, and has told nothing yet. */
  readonly lastHelloAtMs: number | null;
  readonly bootingAtMs: number | null;
  readonly helloAtMs: number | null;
  readonly startedAtMs: number | null;
  readonly completedAtMs: number | null;
}

export interface CloudInitReport {
  readonly status: 'done' | 'error' | 'absent';
  readonly errors: readonly string[];
}

type Result = AgentFrame<'provision_result'>;

/** Everything that can happen to a run. */
export type RunInput =
  /** The digest is known, the user data is rendered, the command is stored. */
  | { readonly type: 'prepared'; readonly commandUuid: string; readonly message: string }
  | { readonly type: 'render_failed'; readonly message: string }
  | { readonly type: 'prepare_failed'; readonly code: string; readonly message: string }
  /** Why a queued run does not begin. */
  | { readonly type: 'waiting'; readonly message: string }
  /** `message`: what the machine does now on its way into the installer. */
  | { readonly type: 'accepted'; readonly message?: string | null }
  | { readonly type: 'refused'; readonly state: 'rejected' | 'failed' | 'canceled'; readonly reason: string | null }
  | { readonly type: 'event'; readonly bootId: string; readonly event: ProvisionEvent }
  | {
      readonly type: 'result';
      readonly bootId: string;
      readonly outcome: Result['outcome'];
      readonly code: string | null;
      readonly message: string;
      readonly diskState: string | null;
    }
  | {
      readonly type: 'hello';
      readonly bootId: string;
      readonly mode: Hello['mode'];
      readonly system: SystemOfRun;
      /** Serial number or WWN of the disk that the system runs from; null where it is not known. */
      readonly rootDisk: string | null;
    }
  | { readonly type: 'cloud_init'; readonly report: CloudInitReport }
  | { readonly type: 'cancel'; readonly reach: CancelReach }
  | { readonly type: 'cancel_refused'; readonly reason: string | null }
  /** The machine was adopted by another key: a new command begins the run again. */
  | { readonly type: 'restart'; readonly commandUuid: string; readonly message: string }
  | { readonly type: 'time'; readonly facts: TimeFacts };

/**
 * `this`: an installed system that this run has made, on the disk that it was made on; `copy`: it is on another disk;
 * `another`: it is not of this run.
 */
export type SystemOfRun = 'this' | 'copy' | 'another';

/**
 * `none`: no installer has the command, so that taking it back is enough; `connected`: an installer can be asked to
 * stop; `away`: it cannot be asked now.
 */
export type CancelReach = 'none' | 'connected' | 'away';

export interface TimeFacts {
  readonly isConnected: boolean;
  /** When the machine was heard of last; null when it never was since the server's start. */
  readonly heardAtMs: number | null;
  /** What the machine said last. */
  readonly mode: string | null;
  readonly bootTimeoutMs: number;
  /** Since when this server has been listening without a break: silence before that is nobody's fault. */
  readonly observedSinceMs: number;
}

export function isTerminal(status: RunStatus): boolean {
  return status !== 'queued' && status !== 'in_progress';
}

/** A run as it is queued. */
export function newRunState(injectAgent: boolean): RunState {
  return {
    status: 'queued',
    currentStep: 'queued',
    currentMessage: 'looking up the digest of the image',
    progressPercent: 0,
    bytesDone: null,
    bytesTotal: null,
    rateBps: null,
    errorCode: null,
    errorMessage: null,
    diskState: null,
    isUnconfirmed: false,
    injectAgent,
    commandUuid: null,
    bootIds: [],
    cloudInit: null,
    cancelRequestedAtMs: null,
    lastEventAtMs: null,
    lastHelloAtMs: null,
    bootingAtMs: null,
    helloAtMs: null,
    startedAtMs: null,
    completedAtMs: null,
  };
}
