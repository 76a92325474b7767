import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  budgetMinutes,
  formatBudget,
  formatSeconds,
  overrunParts,
  totalLimitMinutes,
} from '../../../../scripts/testing/budget.ts';

test('the parts fit into 75 minutes, and the run stops itself at 80', () => {
  const sum = Object.values(budgetMinutes).reduce((total, minutes) => total + minutes, 0);
  assert.ok(sum <= 75, `${sum} minutes`);
  assert.equal(totalLimitMinutes, 80);
});

test('a part may take half more than its budget and not a second beyond', () => {
  assert.deepEqual(overrunParts([{ part: 'net', seconds: 8 * 90 }]), []);
  assert.deepEqual(overrunParts([{ part: 'net', seconds: 8 * 90 + 1 }]), ['net']);
});

test('pieces of one part are added up', () => {
  const pieces = [
    { part: 'installs and builds', seconds: 500 },
    { part: 'installs and builds', seconds: 401 },
    { part: 'unit', seconds: 10 },
  ] as const;
  assert.deepEqual(overrunParts(pieces), ['installs and builds']);
});

test('the table names every part, its time and its budget', () => {
  const times = [
    { part: 'unit', seconds: 7.4 },
    { part: 'disk', seconds: 1081 },
  ] as const;
  assert.equal(
    formatBudget(times, 4801),
    [
      'part                       used   budget',
      'installs and builds     not run   10 min',
      'kernel                  not run   18 min',
      'unit                        7 s    1 min',
      'net                     not run    8 min',
      'disk                      18:01   12 min  OVER BUDGET BY MORE THAN HALF',
      'vm                      not run   25 min',
      'total                     80:01   80 min  TOO LONG',
    ].join('\n'),
  );
});

test('times are seconds up to 99, then minutes', () => {
  assert.deepEqual([0.4, 99.4, 99.6, 3600].map(formatSeconds), ['0 s', '99 s', '1:40', '60:00']);
});
