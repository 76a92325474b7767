import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { advanceRun } from '../../../../control-plane/provisions/advance-run.ts';
import {
  isTerminal,
  newRunState,
  type RunInput,
  type RunState,
} from '../../../../control-plane/provisions/run-state.ts';
import { stepIds } from '../../../../protocol/provision-event.ts';
import { inputs, minuteMs, startMs } from '../../../builders/run-inputs.ts';

const bootId = fc.constantFrom('installer', 'second', 'old', 'installed');
const input: fc.Arbitrary<RunInput> = fc.oneof(
  fc.constant<RunInput>(inputs.prepared),
  fc.constant<RunInput>(inputs.accepted),
  fc.constantFrom<RunInput>(
    { type: 'render_failed', message: 'no' },
    { type: 'prepare_failed', code: 'x', message: 'no' },
  ),
  fc.record({
    type: fc.constant('refused' as const),
    state: fc.constantFrom('rejected' as const, 'failed' as const, 'canceled' as const),
    reason: fc.constant(null),
  }),
  fc
    .record({
      boot: bootId,
      step: fc.constantFrom(...stepIds, null),
      state: fc.constantFrom('started', 'progress', 'succeeded', 'failed', 'aborted', 'warning', 'skipped' as const),
      percent: fc.double({ min: 0, max: 100, noNaN: true }),
    })
    .map(({ boot, ...fields }) => inputs.event(fields as Parameters<typeof inputs.event>[0], boot)),
  fc
    .record({ outcome: fc.constantFrom('booting', 'failed', 'aborted' as const), boot: bootId })
    .map(({ outcome, boot }) => inputs.result(outcome as 'booting', boot)),
  fc
    .record({ boot: bootId, system: fc.constantFrom('this', 'copy', 'another'), isInstalled: fc.boolean() })
    .map(({ boot, system, isInstalled }) =>
      isInstalled ? inputs.helloInstalled(system, boot) : inputs.helloInstaller(boot),
    ),
  fc
    .record({ status: fc.constantFrom('done', 'error', 'absent' as const), errors: fc.array(fc.constant('e')) })
    .map(({ status, errors }) => inputs.cloudInit(status as 'done', errors)),
  fc.constantFrom<RunInput>(
    { type: 'cancel', reach: 'none' },
    { type: 'cancel', reach: 'connected' },
    { type: 'cancel', reach: 'away' },
    { type: 'cancel_refused', reason: null },
    { type: 'restart', commandUuid: 'command-2', message: 'again' },
  ),
  fc
    .record({ isConnected: fc.boolean(), mode: fc.constantFrom('installer', 'installed', null) })
    .map((facts) => inputs.time(facts)),
);
const history = fc.array(fc.record({ input, waitMs: fc.integer({ min: 0, max: 20 * minuteMs }) }), { maxLength: 60 });

test('whatever comes in whatever order, a run that has begun ends in exactly one outcome and stays there', () => {
  fc.assert(
    fc.property(history, (list) => {
      let nowMs = startMs;
      let run: RunState = advanceRun(newRunState(true), inputs.prepared, nowMs);
      let ends = 0;
      // The silence after the last input must end every run that has begun.
      const silence = [1, 2].map(() => ({ input: inputs.time({ isConnected: false }), waitMs: 46 * minuteMs }));
      for (const { input: next, waitMs } of [...list, { input: inputs.accepted, waitMs: 0 }, ...silence]) {
        nowMs += waitMs;
        const before = run;
        // Restarts lose nothing that is in the state: it is plain data.
        run = structuredClone(run);
        const after = advanceRun(run, next, nowMs);
        if (isTerminal(before.status)) assert.equal(after, run, `${before.status} did not stay as it was`);
        else if (isTerminal(after.status)) ends += 1;
        assertSound(before, after);
        run = after;
      }
      assert.equal(ends, 1);
    }),
    { numRuns: 2000 },
  );
});

test('the same input given twice at one moment has the effect of one', () => {
  fc.assert(
    fc.property(history, input, (list, last) => {
      const start = advanceRun(newRunState(true), inputs.prepared, startMs);
      const run = list.reduce((state, { input: next }) => advanceRun(state, next, startMs), start);
      const once = advanceRun(run, last, startMs);
      // A machine that refused to cancel has answered the one request there was.
      assert.deepEqual(advanceRun(once, last, startMs), once);
    }),
    { numRuns: 1000 },
  );
});

function assertSound(before: RunState, after: RunState): void {
  const isNewAttempt = after.bootIds.length > before.bootIds.length || after.commandUuid !== before.commandUuid;
  const isRestart = after.currentMessage === 'again';
  if (!isNewAttempt && !isRestart)
    assert.ok(after.progressPercent >= before.progressPercent, 'the percentage went back');
  assert.equal(after.progressPercent === 100, after.status === 'completed' || after.status === 'degraded');
  assert.equal(isTerminal(after.status), after.completedAtMs !== null);
  assert.equal(after.errorMessage === null, !isTerminal(after.status) || after.status === 'completed');
  if (after.status === 'completed') assert.ok(after.helloAtMs !== null && after.cloudInit !== null);
}
