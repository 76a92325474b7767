import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { retry } from '../../../../core/base/retry.ts';

/** Fails `failures` times, each after `tookMs` of a clock that only it moves. */
function failing(failures: number, tookMs: number) {
  const state = { calls: 0, clockMs: 1000 };
  const attempt = async (): Promise<string> => {
    state.calls += 1;
    state.clockMs += tookMs;
    if (state.calls <= failures) throw new ProvisionError('registry_unreachable', `failure ${state.calls}`);
    return 'done';
  };
  const options = { firstDelayMs: 1, longestDelayMs: 1, random: () => 0, now: () => state.clockMs };
  return { state, attempt, options };
}

test('attempts that fail quickly are all made, slow ones only until it is too late for another', async () => {
  const fast = failing(4, 1);
  assert.equal(await retry(fast.attempt, { ...fast.options, attempts: 5, giveUpAfterMs: 45_000 }), 'done');
  const slow = failing(4, 30_000);
  const slowly = retry(slow.attempt, { ...slow.options, attempts: 5, giveUpAfterMs: 45_000 });
  await assert.rejects(slowly, { message: 'failure 2' });
  assert.equal(slow.state.calls, 2);
});

test('a wait that the peer asked for is waited, however late it is', async () => {
  const { attempt, options } = failing(2, 50_000);
  assert.equal(await retry(attempt, { ...options, attempts: 3, giveUpAfterMs: 1, delayHintMs: () => 1 }), 'done');
});
