import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { NumberedFrame } from '../../../../agent/link/outbox-frames.ts';
import type { ProvisionError } from '../../../../core/base/errors.ts';
import { Resources } from '../../../resources.ts';
import { event, open, outcome, waiting } from './outbox-fixture.ts';

test('a server that has seen more of this boot than was made here gets what waits under new numbers', async () => {
  await using resources = new Resources();
  const dir = join(resources.tempDir(), 'outbox');
  const outbox = open(dir, 'b');
  outbox.add(outcome('one'));
  outbox.add(outcome('two'));
  outbox.welcome(40);
  assert.deepEqual(waiting(outbox), ['b 41 one', 'b 42 two']);
  assert.deepEqual(waiting(open(dir, 'b')), ['b 41 one', 'b 42 two']);
  outbox.welcome(41);
  assert.deepEqual(waiting(outbox), ['b 42 two']);
});

test('on disk: files are private, numbers go on after a restart, older boots come first and keep their boot_id', async () => {
  await using resources = new Resources();
  const dir = join(resources.tempDir(), 'outbox');
  const first = open(dir, 'boot-a');
  first.add(outcome('a1'));
  first.add(outcome('a2'));
  first.acknowledge('boot-a', 1);
  assert.equal(statSync(dir).mode & 0o777, 0o700);
  for (const name of readdirSync(dir)) assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600);
  const second = open(dir, 'boot-b');
  second.add(outcome('b1'));
  const third = open(dir, 'boot-b');
  assert.equal(third.lastSeq, 1);
  third.add(outcome('b2'));
  assert.deepEqual(waiting(third), ['boot-a 1 a1', 'boot-a 2 a2', 'boot-b 1 b1', 'boot-b 2 b2']);
  third.acknowledge('boot-a', 2);
  third.acknowledge('boot-b', 2);
  assert.equal(readdirSync(dir).length, 1, 'the file of the older boot is gone');
  assert.equal(open(dir, 'boot-b').lastSeq, 2);
});

test('a line that was cut off, garbage between lines and a foreign file harm nothing else', async () => {
  await using resources = new Resources();
  const dir = join(resources.tempDir(), 'outbox');
  open(dir, 'b').add(outcome('one'));
  const [name = ''] = readdirSync(dir);
  appendFileSync(join(dir, name), 'garbage\n{"type":"log"}\n{"type":"command_rep');
  writeFileSync(join(dir, '00000009.ndjson'), 'what is this');
  writeFileSync(join(dir, `${name}.new`), 'left by a crash');
  const problems: ProvisionError[] = [];
  const outbox = open(dir, 'b', problems);
  assert.deepEqual(waiting(outbox), ['b 1 one']);
  assert.match(problems.map(({ message }) => message).join(), /00000009\.ndjson is no file of the outbox/);
  outbox.add(outcome('two'));
  assert.deepEqual(waiting(open(dir, 'b')), ['b 1 one', 'b 2 two']);
  assert.ok(!existsSync(join(dir, `${name}.new`)));
});

test('what was acknowledged does not fill the disk', async () => {
  await using resources = new Resources();
  const dir = join(resources.tempDir(), 'outbox');
  const outbox = open(dir, 'b', [], { mostFrames: 50 });
  let largest = 0;
  for (let index = 1; index <= 2000; index += 1) {
    const { seq } = outbox.add(event('progress', 'x'.repeat(2000)));
    if (index % 2 === 0) outbox.acknowledge('b', seq - 20);
    const [name = ''] = readdirSync(dir);
    largest = Math.max(largest, statSync(join(dir, name)).size);
  }
  assert.ok(largest < 600_000, `${largest} bytes`);
  assert.equal(open(dir, 'b').lastSeq, 2000);
});

test('a folder that cannot be written is said once; the agent goes on in memory and writes again when it can', async () => {
  await using resources = new Resources();
  const parent = resources.tempDir();
  const dir = join(parent, 'outbox');
  const problems: ProvisionError[] = [];
  const outbox = open(dir, 'b', problems);
  rmSync(dir, { recursive: true });
  // Root may write anywhere: a file in place of the folder stops even root.
  writeFileSync(dir, '');
  for (const name of ['one', 'two', 'three']) outbox.add(outcome(name));
  assert.equal(problems.length, 1);
  assert.equal(problems[0]?.code, 'permission');
  assert.deepEqual(waiting(outbox), ['b 1 one', 'b 2 two', 'b 3 three']);
});

test('killed at any byte of a write, nothing that was whole is lost and nothing is made up', async () => {
  await using resources = new Resources();
  const root = resources.tempDir();
  const steps = fc.array(
    fc.oneof(
      fc.constant('outcome'),
      fc.constant('progress'),
      fc.constant('ack'),
      fc.constant('restart'),
      fc.constant('reboot'),
    ),
    {
      minLength: 1,
      maxLength: 30,
    },
  );
  let run = 0;
  fc.assert(
    fc.property(steps, fc.nat(400), (script, cutBytes) => {
      run += 1;
      const dir = join(root, String(run));
      let boot = 0;
      let outbox = open(dir, 'boot-0');
      const made = new Map<string, string>();
      const gone = new Set<string>();
      for (const step of script) {
        if (step === 'restart') outbox = open(dir, `boot-${boot}`);
        else if (step === 'reboot') {
          boot += 1;
          outbox = open(dir, `boot-${boot}`);
        } else if (step === 'ack') {
          const seq = Math.ceil(outbox.lastSeq / 2);
          outbox.acknowledge(outbox.bootId, seq);
          for (let number = 1; number <= seq; number += 1) gone.add(`${outbox.bootId} ${number}`);
        } else {
          const report = step === 'outcome' ? outcome(`text ${made.size}`) : event('progress', `text ${made.size}`);
          const frame = outbox.add(report);
          made.set(`${frame.boot_id} ${frame.seq}`, JSON.stringify(frame));
        }
      }
      // The kill: the newest file loses its end, as if the last write had not been finished.
      const names = readdirSync(dir).sort();
      const newest = join(dir, names.at(-1) ?? '');
      const text = names.length === 0 ? '' : readFileSync(newest, 'utf8');
      const header = text.indexOf('\n') + 1;
      if (text !== '') writeFileSync(newest, text.slice(0, Math.max(header, text.length - cutBytes)));
      const kept = text
        .slice(header, Math.max(header, text.length - cutBytes))
        .split('\n')
        .slice(0, -1);
      const after = open(dir, `boot-${boot}`);
      const found = [...after.unsent(Symbol('all'))].map(({ frame }) => frame);
      for (const frame of found) assert.equal(JSON.stringify(frame), made.get(`${frame.boot_id} ${frame.seq}`));
      const foundKeys = new Set(found.map((frame) => `${frame.boot_id} ${frame.seq}`));
      for (const line of kept) {
        const frame = JSON.parse(line) as NumberedFrame;
        assert.ok(foundKeys.has(`${frame.boot_id} ${frame.seq}`), `lost ${line}`);
      }
      if (cutBytes === 0) {
        for (const key of made.keys()) assert.ok(foundKeys.has(key) || gone.has(key), `lost ${key}`);
        assert.equal(after.lastSeq >= outbox.lastSeq, true);
      }
      // And it goes on: the next number is used nowhere.
      const next = after.add(outcome('next'));
      assert.ok(!foundKeys.has(`${next.boot_id} ${next.seq}`));
      assert.deepEqual(waiting(open(dir, `boot-${boot}`)), waiting(after));
    }),
    { numRuns: 60 },
  );
});

test('folder and files may be read by their owner only, whatever the umask', async () => {
  await using resources = new Resources();
  const dir = join(resources.tempDir(), 'outbox');
  const before = process.umask(0);
  try {
    open(dir, 'b').add(outcome('one'));
  } finally {
    process.umask(before);
  }
  assert.equal(statSync(dir).mode & 0o777, 0o700);
  for (const name of readdirSync(dir)) assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600);
});
