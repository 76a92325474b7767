import type { RunState } from './run-state.ts';

const times = [
  'cancelRequestedAtMs',
  'lastEventAtMs',
  'lastHelloAtMs',
  'bootingAtMs',
  'helloAtMs',
  'startedAtMs',
] as const satisfies readonly (keyof RunState)[];

/**
 * The run with no time that is still to come: after the clock was set back such a time would hold up every time-out until
 * the clock is there again. Gives the very object it was given when there is none.
 */
export function withoutFuture(run: RunState, nowMs: number): RunState {
  const early = times.filter((name) => (run[name] ?? nowMs) > nowMs);
  return early.length === 0 ? run : { ...run, ...Object.fromEntries(early.map((name) => [name, nowMs])) };
}
