import { advanceRun } from '../../control-plane/provisions/advance-run.ts';
import {
  newRunState,
  type RunInput,
  type RunState,
  type SystemOfRun,
  type TimeFacts,
} from '../../control-plane/provisions/run-state.ts';
import type { ProvisionEvent } from '../../protocol/provision-event.ts';

export const runUuid = '11111111-2222-4333-8444-555555555555';
export const minuteMs = 60_000;
export const startMs = Date.parse('2026-11-20T12:00:00Z');

/** An event as an installer sends it; progress of the longest step unless the fields say otherwise. */
export function provisionEvent(fields: Partial<ProvisionEvent> = {}): ProvisionEvent {
  return {
    v: 1,
    seq: 1,
    time: '2026-11-20T12:00:00.000Z',
    provision_uuid: runUuid,
    step: 'layer_extraction',
    state: 'progress',
    percent: 40,
    bytes_done: 1000,
    bytes_total: 2000,
    rate_bps: 100,
    message: 'layer 2 of 3',
    ...fields,
  };
}

export const inputs = {
  prepared: { type: 'prepared', commandUuid: 'command-1', message: 'waiting for the machine' },
  accepted: { type: 'accepted' },
  event: (fields: Partial<ProvisionEvent> = {}, bootId = 'installer') => ({
    type: 'event',
    bootId,
    event: provisionEvent(fields),
  }),
  result: (outcome: 'booting' | 'failed' | 'aborted', bootId = 'installer') => ({
    type: 'result',
    bootId,
    outcome,
    code: outcome === 'booting' ? null : 'device_io',
    message: `it ended as ${outcome}`,
    diskState: outcome === 'booting' ? 'complete' : 'partial',
  }),
  helloInstalled: (system: SystemOfRun, bootId = 'installed') => ({
    type: 'hello',
    mode: 'installed',
    bootId,
    system,
    rootDisk: 'DISK',
  }),
  helloInstaller: (bootId = 'installer') => ({
    type: 'hello',
    mode: 'installer',
    bootId,
    system: 'another',
    rootDisk: null,
  }),
  cloudInit: (status: 'done' | 'error' | 'absent', errors: readonly string[] = []) => ({
    type: 'cloud_init',
    report: { status, errors },
  }),
  time: (facts: Partial<TimeFacts> = {}) => ({
    type: 'time',
    facts: {
      isConnected: true,
      heardAtMs: Number.POSITIVE_INFINITY,
      mode: 'installer',
      bootTimeoutMs: 45 * minuteMs,
      observedSinceMs: 0,
      ...facts,
    },
  }),
} as const satisfies Record<string, RunInput | ((...args: never[]) => RunInput)>;

/** A run and a clock: feeds inputs one by one. */
export class RunDriver {
  state: RunState;
  nowMs = startMs;

  constructor(injectAgent = true) {
    this.state = newRunState(injectAgent);
  }

  feed(...list: RunInput[]): this {
    for (const input of list) this.state = advanceRun(this.state, input, this.nowMs);
    return this;
  }

  wait(milliseconds: number): this {
    this.nowMs += milliseconds;
    return this;
  }
}

/** A run whose machine has taken the command and sent its first event. */
export function installingRun(injectAgent = true): RunDriver {
  return new RunDriver(injectAgent).feed(inputs.prepared, inputs.accepted, inputs.event({ percent: 10 }));
}
