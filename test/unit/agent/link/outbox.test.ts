import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outbox } from '../../../../agent/link/outbox.ts';
import type { Report } from '../../../../agent/link/outbox-frames.ts';
import { event, log, outcome, waiting } from './outbox-fixture.ts';

test('reports are numbered from 1, sent once a connection, and gone when acknowledged', () => {
  const outbox = new Outbox({ bootId: 'b' });
  for (const name of ['one', 'two', 'three']) outbox.add(outcome(name));
  const connection = Symbol('c');
  for (const entry of outbox.unsent(connection)) entry.sentOn = connection;
  assert.deepEqual([...outbox.unsent(connection)], []);
  assert.equal(outbox.sentOn(connection).frames, 3);
  outbox.acknowledge('b', 2);
  outbox.acknowledge('another', 99);
  assert.deepEqual(waiting(outbox), ['b 3 three']);
  assert.equal(outbox.lastSeq, 3);
  outbox.acknowledge('b', 3);
  assert.equal(outbox.size, 0);
  assert.equal(outbox.bytes, 0);
});

test('a full outbox drops the oldest progress, then logs, and never an outcome', () => {
  const outbox = new Outbox({ bootId: 'b', mostFrames: 4 });
  outbox.add(event('progress', 'p1'));
  outbox.add(outcome('o1'));
  outbox.add(log('l1'));
  outbox.add(event('progress', 'p2'));
  outbox.add(outcome('o2'));
  assert.deepEqual(waiting(outbox), ['b 2 o1', 'b 3 l1', 'b 4 p2', 'b 5 o2']);
  outbox.add(event('warning', 'w'));
  assert.deepEqual(waiting(outbox), ['b 2 o1', 'b 3 l1', 'b 5 o2', 'b 6 w']);
  outbox.add(event('succeeded', 's'));
  outbox.add(outcome('o3'));
  outbox.add(event('progress', 'p3'));
  assert.deepEqual(waiting(outbox), ['b 2 o1', 'b 5 o2', 'b 6 w', 'b 7 s', 'b 8 o3']);
});

test('bytes are bounded as frames are', () => {
  const outbox = new Outbox({ bootId: 'b', mostBytes: 100_000 });
  for (let index = 0; index < 200; index += 1) outbox.add(event('progress', 'x'.repeat(2000)));
  assert.ok(outbox.bytes <= 100_000 && outbox.bytes > 90_000, `${outbox.bytes}`);
  assert.equal(outbox.lastSeq, 200);
});

test('text that is too long is cut, what fits no frame is a defect', () => {
  const outbox = new Outbox({ bootId: 'b' });
  const frame = outbox.add(outcome('y'.repeat(10_000)));
  assert.equal(frame.type === 'command_reply' && frame.reason?.length, 4096);
  assert.throws(() => outbox.add({ ...outcome('x'), command_uuid: 'none' } as Report), { code: 'invariant' });
  const lines = Array.from({ length: 2000 }, () => 'z'.repeat(1000));
  assert.throws(() => outbox.add({ type: 'log', command_uuid: null, lines }), { code: 'invariant' });
  assert.equal(outbox.size, 1);
});
