import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProvisionEvent } from '../../../../protocol/provision-event.ts';
import { inputs, minuteMs, RunDriver } from '../../../builders/run-inputs.ts';

type DiskState = NonNullable<ProvisionEvent['disk_state']>;

/** A run whose first attempt was heard of last with this state of the disk. */
function heardLast(disk_state: DiskState): RunDriver {
  const first = inputs.event({ step: 'image_inspection', state: 'started', disk_state: 'untouched' });
  const last = inputs.event({ step: 'layer_extraction', state: 'progress', disk_state });
  return new RunDriver().feed(inputs.prepared, inputs.accepted, inputs.helloInstaller(), first, last);
}

const ends: Readonly<Record<string, (run: RunDriver) => RunDriver>> = {
  'a time-out': (run) => run.wait(46 * minuteMs).feed(inputs.time({ isConnected: false })),
  'a cancel while it is away': (run) => run.feed({ type: 'cancel', reach: 'away' }),
  'a cancel without an answer': (run) =>
    run
      .feed({ type: 'cancel', reach: 'connected' })
      .wait(5 * minuteMs)
      .feed(inputs.time()),
  'another system': (run) => run.feed(inputs.helloInstalled('another')),
  'an installer that has lost its memory': (run) =>
    run.feed({ type: 'refused', state: 'failed', reason: 'the installer was started again' }),
  'too many attempts': (run) => {
    const again = { step: 'image_inspection', state: 'started', disk_state: 'untouched' } as const;
    return run.feed(...[2, 3, 4, 5, 6].map((boot) => inputs.event(again, `boot ${boot}`)));
  },
};

for (const [name, end] of Object.entries(ends)) {
  test(`${name} leaves the disk in the state that was heard last, and says nothing of one that may have been erased since`, () => {
    for (const [heard, expected] of [
      ['erased', 'erased'],
      ['partial', 'partial'],
      // Its link may have been gone before it began to write.
      ['untouched', null],
    ] as const) {
      const { state } = end(heardLast(heard));
      assert.notEqual(state.completedAtMs, null);
      assert.equal(state.diskState, expected, `heard ${heard}`);
    }
  });
}

const failure = { step: null, state: 'failed', code: 'registry_unreachable', message: 'no' } as const;

test('a second attempt that fails before it writes does not make the disk of the first untouched again', () => {
  for (const [heard, expected] of [
    ['erased', 'erased'],
    ['partial', 'partial'],
    ['untouched', null],
  ] as const) {
    const second = inputs.event({ step: 'image_inspection', state: 'started', disk_state: 'untouched' }, 'second');
    const run = heardLast(heard).feed(second, inputs.event({ ...failure, disk_state: 'untouched' }, 'second'));
    assert.deepEqual([run.state.status, run.state.diskState], ['error', expected], `heard ${heard}`);
    const byResult = heardLast(heard).feed({ ...inputs.result('failed', 'second'), diskState: 'untouched' });
    assert.deepEqual([byResult.state.status, byResult.state.diskState], ['error', expected], `heard ${heard}`);
  }
});

test('a run that was begun again for an adopted machine, and failed or was canceled before it wrote, keeps the state', () => {
  const begin = () => heardLast('partial').feed({ type: 'restart', commandUuid: 'command-2', message: 'adopted' });
  const failed = begin().feed(inputs.event({ ...failure, disk_state: 'untouched' }, 'second'));
  assert.deepEqual([failed.state.status, failed.state.diskState], ['error', 'partial']);
  const canceled = begin().feed({ type: 'cancel', reach: 'none' });
  assert.deepEqual([canceled.state.status, canceled.state.diskState], ['canceled', 'partial']);
});

test('the only attempt is believed, and a later one says how far it has brought the disk', () => {
  const failed = heardLast('untouched').feed(inputs.event({ ...failure, disk_state: 'untouched' }));
  assert.equal(failed.state.diskState, 'untouched');
  const second = heardLast('partial').feed(inputs.event({ disk_state: 'erased' }, 'second'));
  assert.equal(second.state.diskState, 'erased');
  assert.equal(second.feed(inputs.result('booting', 'second')).state.diskState, 'complete');
});

test('a machine that has never been in an installer with the command has its old system', () => {
  const away = inputs.time({ isConnected: false, mode: 'installed' });
  const { state } = new RunDriver()
    .feed(inputs.prepared, inputs.accepted)
    .wait(46 * minuteMs)
    .feed(away);
  assert.deepEqual([state.status, state.diskState], ['timeout', 'untouched']);
  const inInstaller = new RunDriver()
    .feed(inputs.prepared, inputs.accepted)
    .wait(46 * minuteMs)
    .feed(inputs.time());
  assert.deepEqual([inInstaller.state.status, inInstaller.state.diskState], ['timeout', null]);
});
