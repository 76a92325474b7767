import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TokenBucket } from '../../../../control-plane/agents/token-bucket.ts';
import { FakeClock } from '../../../builders/server-context.ts';

test('a bucket gives its capacity at once, then its rate, and never saves up more than its capacity', () => {
  const clock = new FakeClock();
  const bucket = new TokenBucket(clock, { capacity: 10, perSecond: 2 });
  assert.equal(bucket.take(10), true);
  assert.equal(bucket.take(1), false);
  clock.advance(500);
  assert.equal(bucket.take(1), true);
  assert.equal(bucket.take(0.1), false);
  clock.advance(3_600_000);
  assert.equal(bucket.take(11), false);
  assert.equal(bucket.take(10), true);
});

test('whatever the clock does, no more passes than capacity and rate allow', () => {
  const steps = fc.array(
    fc.record({ advanceMs: fc.integer({ min: -5000, max: 5000 }), take: fc.integer({ min: 1, max: 5 }) }),
  );
  fc.assert(
    fc.property(steps, (script) => {
      const clock = new FakeClock();
      const bucket = new TokenBucket(clock, { capacity: 8, perSecond: 3 });
      let forwardMs = 0;
      let taken = 0;
      for (const { advanceMs, take } of script) {
        clock.advance(advanceMs);
        forwardMs += Math.max(0, advanceMs);
        if (bucket.take(take)) taken += take;
        assert.ok(taken <= 8 + (forwardMs / 1000) * 3 + 1e-6);
      }
    }),
  );
});
