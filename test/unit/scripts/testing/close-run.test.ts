import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closeRun, readTimes } from '../../../../scripts/testing/close-run.ts';

test('a good run is green', () => {
  const end = closeRun({ exit: 0, counts: [120, 0, 2], overruns: [] });
  assert.deepEqual(end, { problems: [], lastLine: '120 passed, 0 failed, 2 skipped', exitCode: 0 });
});

const bad = {
  'a failed test': { exit: 1, counts: [119, 1, 0], overruns: [] },
  'a part far over its budget': { exit: 0, counts: [120, 0, 0], overruns: ['net'] },
  'skipped tests that may not be skipped': { exit: 1, counts: [119, 0, 1], overruns: [] },
  'an end before the tests ran': { exit: 2, counts: undefined, overruns: [] },
  'an end without counts although the exit code is 0': { exit: 0, counts: undefined, overruns: [] },
  'a run that was stopped': { exit: 'stopped', counts: undefined, overruns: [] },
  'a run that was stopped right after its counts': { exit: 'stopped', counts: [120, 0, 0], overruns: [] },
} as const;
for (const [what, end] of Object.entries(bad)) {
  test(`${what} makes the run fail, in its exit code and in its last line`, () => {
    const { lastLine, exitCode } = closeRun(end);
    assert.equal(exitCode, 1);
    assert.match(lastLine, /^\d+ passed, [1-9]\d* failed, \d+ skipped$/);
  });
}

test('the notes of a run are read as far as they were written', () => {
  const text = '{"part":"unit","seconds":5}\n{"part":"net","seconds":60}\n{"counts":[3,2,1]}\n';
  assert.deepEqual(readTimes(text), {
    times: [
      { part: 'unit', seconds: 5 },
      { part: 'net', seconds: 60 },
    ],
    counts: [3, 2, 1],
  });
  assert.deepEqual(readTimes(''), { times: [], counts: undefined });
});
