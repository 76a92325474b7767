import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { describeFailure } from '../../../../scripts/testing/describe-failure.ts';

test('a failure names the test, the reason, every cause, the facts and the place', () => {
  const cause = new Error('the wire is cut');
  const thrown = new ProvisionError('download_interrupted', 'the download broke off', {
    cause,
    facts: { at_bytes: 7 },
  });
  const text = describeFailure('test/a.test.ts', 'F01 x', new Error('wrapped by node:test', { cause: thrown }));
  assert.match(text, /^test\/a\.test\.ts: F01 x\n {2}the download broke off\n {2}facts: \{ at_bytes: 7 \}\n/);
  assert.match(text, /caused by: the wire is cut/);
  assert.match(text, /at .*test\/unit\/scripts\/testing\/describe-failure\.test\.ts:\d+/);
  assert.doesNotMatch(text, /wrapped by node:test/);
});

test('a thrown value that is no error is shown', () => {
  const wrapped = new Error('wrapped');
  wrapped.cause = 'just text';
  assert.match(describeFailure('a', 'b', wrapped), /just text/);
});
