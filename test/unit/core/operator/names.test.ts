import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findObject } from '../../../../core/operator/find-object.ts';
import { shortUuids } from '../../../../core/operator/machine-columns.ts';
import { resolveMachine } from '../../../../core/operator/resolve-machine.ts';
import { shortTime, timeAgo } from '../../../../core/operator/time-ago.ts';

const machines = [
  { uuid: 'aaaaaaaa-0000-4000-8000-000000000001', hostname: 'node-1' },
  { uuid: 'aaaaaaaa-0000-4000-8000-000000000002', hostname: 'node-2' },
  { uuid: 'bbbbbbbb-0000-4000-8000-000000000003', hostname: 'node-2' },
  { uuid: 'cccccccc-0000-4000-8000-000000000004', hostname: 'bbbbbbbb' },
];

test('a machine is named by UUID, hostname or the beginning of its UUID, in any case', () => {
  assert.equal(resolveMachine(machines, 'NODE-1'), machines[0]);
  assert.equal(resolveMachine(machines, machines[1]?.uuid.toUpperCase() ?? ''), machines[1]);
  assert.equal(resolveMachine(machines, 'cccc'), machines[3]);
});

test('a hostname goes before the beginning of a UUID', () => {
  assert.equal(resolveMachine(machines, 'bbbbbbbb'), machines[3]);
});

test('a name of several machines is refused, and all are listed', () => {
  const error = { code: 'object_ambiguous', message: /2 machines: aaaaaaaa-\S+ \(node-2\), bbbbbbbb-\S+ \(node-2\)/ };
  assert.throws(() => resolveMachine(machines, 'node-2'), error);
  assert.throws(() => resolveMachine(machines, 'aaaaaaaa-0000'), { code: 'object_ambiguous' });
});

test('three characters are no beginning: they fit by chance', () => {
  assert.throws(() => resolveMachine(machines, 'ccc'), { code: 'object_not_found' });
  assert.throws(() => resolveMachine(machines, ''), { code: 'object_not_found' });
});

test('an own object goes before an official one of the same name, and a name before a UUID', () => {
  const uuid = machines[0]?.uuid ?? '';
  const official = { uuid, name: 'linux', is_official: true };
  const own = { uuid: machines[1]?.uuid ?? '', name: 'linux', is_official: false };
  assert.equal(findObject([official, own], 'image', 'linux'), own);
  assert.equal(findObject([official], 'image', 'linux'), official);
  assert.equal(findObject([official, own], 'image', uuid), official);
  assert.throws(() => findObject([own], 'image', 'nope'), { message: 'there is no image "nope"; there is linux' });
});

test('UUIDs are shown by the shortest beginnings that tell them apart, of 8 characters or more', () => {
  const short = shortUuids(machines.map(({ uuid }) => uuid));
  assert.deepEqual(
    machines.map(({ uuid }) => short(uuid)),
    [machines[0]?.uuid, machines[1]?.uuid, 'bbbbbbbb', 'cccccccc'],
  );
});

test('past times are told in the largest unit that fits', () => {
  const now = Date.parse('2026-11-20T12:00:00Z');
  const ago = (seconds: number): string => timeAgo(now - seconds * 1000, now);
  assert.deepEqual(
    [ago(4 * 86_400 + 5), ago(3 * 3600), ago(61), ago(59), ago(0.5), ago(-5)],
    ['4d ago', '3h ago', '1m ago', '59s ago', 'now', 'now'],
  );
  assert.deepEqual([shortTime('2026-11-20T12:34:56.789Z'), shortTime(null)], ['2026-11-20 12:34', '-']);
});
