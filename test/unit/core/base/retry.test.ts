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

test('where such waits count too, one that would end too late is not begun', async () => {
  const waits: number[] = [];
  const { state, attempt, options } = failing(9, 0);
  const retried = retry(attempt, {
    ...{ ...options, attempts: Number.POSITIVE_INFINITY, giveUpAfterMs: 600, countsHints: true },
    delayHintMs: () => 250,
    wait: async (delayMs) => {
      waits.push(delayMs);
      state.clockMs += delayMs;
      return false;
    },
  });
  await assert.rejects(retried, { message: 'failure 3' });
  assert.deepEqual(waits, [250, 250]);
});

test('full jitter waits between nothing and the whole delay, which doubles up to its limit', async () => {
  for (const [random, expected] of [
    [0, [0, 0, 0, 0]],
    [0.5, [1, 1, 2, 2]],
    [0.999, [1, 2, 4, 4]],
  ] as const) {
    const delays: number[] = [];
    const { attempt, options } = failing(4, 0);
    const onRetry = (_error: unknown, _attempt: number, delayMs: number): void => {
      delays.push(delayMs);
    };
    const retried = {
      ...options,
      longestDelayMs: 4,
      attempts: Number.POSITIVE_INFINITY,
      random: () => random,
      onRetry,
    };
    await retry(attempt, { ...retried, jitter: 'full' });
    assert.deepEqual(delays, [...expected]);
  }
});

test('progress begins the count and the delays anew, and the caller may decide what is tried again', async () => {
  const delays: number[] = [];
  const { state, attempt, options } = failing(5, 0);
  const result = await retry(attempt, {
    ...options,
    longestDelayMs: 4,
    attempts: 4,
    hadProgress: () => state.calls === 3,
    onRetry: (_error, _attempt, delayMs) => delays.push(delayMs),
  });
  assert.equal(result, 'done');
  assert.deepEqual(delays, [1, 1, 1, 1, 2]);
  await assert.rejects(retry(failing(1, 0).attempt, { ...options, attempts: 9, isRetryable: () => false }), {
    message: 'failure 1',
  });
});

test('a wait that says that things have changed begins count and delays anew; one that was waited out does not', async () => {
  const answers = [false, true, false];
  const delays: number[] = [];
  const error = new ProvisionError('server_unreachable', 'not there');
  const ended = retry(async () => Promise.reject(error), {
    attempts: 3,
    firstDelayMs: 1000,
    longestDelayMs: 60_000,
    random: () => 1,
    isRetryable: () => true,
    wait: async (delayMs, cause) => {
      assert.equal(cause, error);
      delays.push(delayMs);
      return answers.shift() ?? false;
    },
  });
  await assert.rejects(ended, error);
  assert.deepEqual(delays, [1000, 2000, 1000, 2000]);
});
