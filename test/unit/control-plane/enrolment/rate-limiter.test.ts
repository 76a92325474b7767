import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RateLimiter } from '../../../../control-plane/enrolment/rate-limiter.ts';

function clockAt(startMs: number) {
  let nowMs = startMs;
  return { now: () => nowMs, set: (value: number) => (nowMs = value) };
}

test('what is taken comes back with time, and the wait that is named is enough', () => {
  const clock = clockAt(0);
  const limiter = new RateLimiter(clock, { capacity: 3, perSecond: 1 / 30, maxKeys: 10 });
  assert.deepEqual([limiter.take('a'), limiter.take('a'), limiter.take('a')], [0, 0, 0]);
  assert.equal(limiter.take('a'), 30);
  assert.equal(limiter.take('b'), 0, 'another key has its own');
  clock.set(10_000);
  assert.equal(limiter.waitSeconds('a'), 20);
  clock.set(30_000);
  assert.equal(limiter.waitSeconds('a'), 0, 'asking takes nothing');
  assert.equal(limiter.take('a'), 0);
  assert.equal(limiter.take('a'), 30);
});

test('a clock that was set back gives nothing for nothing and blocks nobody for longer', () => {
  const clock = clockAt(1_000_000);
  const limiter = new RateLimiter(clock, { capacity: 1, perSecond: 1, maxKeys: 10 });
  limiter.take('a');
  clock.set(0);
  assert.equal(limiter.take('a'), 1);
  clock.set(1000);
  assert.equal(limiter.take('a'), 0);
});

test('a flood of keys is forgotten oldest first and touches no key that is in use', () => {
  const limiter = new RateLimiter(clockAt(0), { capacity: 2, perSecond: 1, maxKeys: 100 });
  limiter.take('used');
  limiter.take('used');
  for (let index = 0; index < 10_000; index += 1) {
    limiter.take(`flood ${index}`);
    assert.notEqual(limiter.take('used'), 0);
  }
  assert.ok(limiter.size <= 100);
});

test('never more than the capacity and what has come since', () => {
  const steps = fc.array(fc.record({ waitMs: fc.nat(5000), key: fc.constantFrom('a', 'b') }), { maxLength: 200 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 5 }), (list, capacity) => {
      const clock = clockAt(0);
      const limiter = new RateLimiter(clock, { capacity, perSecond: 0.5, maxKeys: 10 });
      const taken = { a: 0, b: 0 };
      for (const { waitMs, key } of list) {
        clock.set(clock.now() + waitMs);
        const wait = limiter.take(key as 'a' | 'b');
        if (wait === 0) taken[key as 'a' | 'b'] += 1;
        assert.ok(taken[key as 'a' | 'b'] <= capacity + clock.now() * 0.0005 + 1e-6);
      }
    }),
  );
});
