import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inputs, installingRun, minuteMs, RunDriver } from '../../../builders/run-inputs.ts';

test('a run goes from queued to completed when the installed system is there and cloud-init has ended', () => {
  const run = new RunDriver();
  assert.equal(run.state.status, 'queued');
  assert.equal(run.feed(inputs.prepared).state.status, 'queued');
  assert.equal(run.feed(inputs.accepted).state.status, 'in_progress');
  assert.equal(run.state.currentStep, 'entering_installer');
  run.feed(inputs.event({ percent: 37.5 }));
  assert.deepEqual(
    [
      run.state.currentStep,
      run.state.progressPercent,
      run.state.bytesDone,
      run.state.rateBps,
      run.state.currentMessage,
    ],
    ['layer_extraction', 37.5, 1000, 100, 'layer 2 of 3'],
  );
  run.feed(inputs.event({ step: null, state: 'succeeded', percent: 100, message: 'on disk' }));
  run.feed(inputs.result('booting'));
  assert.deepEqual(
    [run.state.status, run.state.currentStep, run.state.progressPercent],
    ['in_progress', 'booting', 99],
  );
  run.wait(3 * minuteMs).feed(inputs.helloInstalled('this'));
  assert.deepEqual([run.state.status, run.state.currentStep], ['in_progress', 'cloud_init']);
  run.feed(inputs.cloudInit('done'));
  assert.deepEqual(
    [run.state.status, run.state.progressPercent, run.state.diskState, run.state.errorMessage, run.state.isUnconfirmed],
    ['completed', 100, 'complete', null, false],
  );
  assert.equal(run.state.completedAtMs, run.nowMs);
});

test('the first event begins a run whose acceptance was not heard', () => {
  const run = new RunDriver().feed(inputs.prepared, inputs.event());
  assert.equal(run.state.status, 'in_progress');
  assert.equal(run.state.startedAtMs, run.nowMs);
});

test('the installed system may be there before the last words of its installer', () => {
  const run = installingRun().feed(inputs.helloInstalled('this'), inputs.result('booting'));
  run.feed(inputs.event({ step: null, state: 'failed', code: 'bug', message: 'late' }));
  assert.equal(run.state.status, 'in_progress');
  assert.equal(run.feed(inputs.cloudInit('absent')).state.status, 'completed');
});

test('what cloud-init says is kept until the hello is there', () => {
  const run = installingRun().feed(inputs.result('booting'), inputs.cloudInit('done'));
  assert.equal(run.state.status, 'in_progress');
  assert.equal(run.feed(inputs.helloInstalled('this')).state.status, 'completed');
});

for (const [name, report] of [
  ['an error', inputs.cloudInit('error', ['module users failed'])],
  ['an error without a name', inputs.cloudInit('error')],
  ['errors beside its end', inputs.cloudInit('done', ['module users failed'])],
] as const) {
  test(`cloud-init with ${name} makes the run degraded`, () => {
    const { state } = installingRun().feed(inputs.result('booting'), inputs.helloInstalled('this'), report);
    assert.deepEqual([state.status, state.errorCode, state.progressPercent], ['degraded', 'cloud_init_errors', 100]);
    assert.match(state.errorMessage ?? '', /cloud-init reported errors/);
  });
}

test('cloud-init that has not ended 10 minutes after the hello makes the run degraded, and not earlier', () => {
  const run = installingRun().feed(inputs.result('booting'), inputs.helloInstalled('this'));
  run.wait(10 * minuteMs - 1).feed(inputs.time({ mode: 'installed' }));
  assert.equal(run.state.status, 'in_progress');
  run.wait(1).feed(inputs.time({ mode: 'installed' }));
  assert.deepEqual([run.state.status, run.state.errorCode], ['degraded', 'cloud_init_unfinished']);
});

test('another system than the installed one is an error', () => {
  const { state } = installingRun().feed(inputs.result('booting'), inputs.helloInstalled('another'));
  assert.deepEqual([state.status, state.errorCode], ['error', 'booted_another_system']);
});

test('another system in the middle of an installation is an error, too', () => {
  const { state } = installingRun().feed(inputs.helloInstalled('another'));
  assert.deepEqual([state.status, state.errorCode], ['error', 'booted_another_system']);
});

test('a copy of the installed system on another disk is not the installed system', () => {
  const { state } = installingRun().feed(inputs.result('booting'), inputs.helloInstalled('copy'));
  assert.deepEqual([state.status, state.errorCode], ['error', 'booted_another_system']);
  assert.match(state.errorMessage ?? '', /a copy of the installed system, on another disk \(DISK\)/);
});

test('the system that was there before may connect again until the installer begins', () => {
  const run = new RunDriver().feed(inputs.prepared, inputs.accepted, inputs.helloInstalled('another', 'old'));
  assert.equal(run.state.status, 'in_progress');
  run.feed(inputs.event({}, 'old'), inputs.helloInstalled('another', 'old'));
  assert.equal(run.state.status, 'in_progress', 'a boot that speaks of the run is not another system');
});

test('without an agent in the image the run is completed, unconfirmed, when the machine leaves for it', () => {
  const { state } = installingRun(false).feed(inputs.result('booting'));
  assert.deepEqual([state.status, state.isUnconfirmed, state.progressPercent], ['completed', true, 100]);
});

test('a failed installation is an error with step, code, message and the state of the disk', () => {
  const { state } = installingRun().feed(
    inputs.event({ step: null, state: 'failed', code: 'digest_mismatch', message: 'bad layer', disk_state: 'erased' }),
    inputs.result('failed'),
  );
  assert.deepEqual(
    [state.status, state.currentStep, state.errorCode, state.errorMessage, state.diskState, state.progressPercent],
    ['error', 'layer_extraction', 'digest_mismatch', 'bad layer', 'erased', 10],
  );
});

test('a result alone tells the end as well', () => {
  const { state } = installingRun().feed(inputs.result('failed'));
  assert.deepEqual([state.status, state.errorCode, state.diskState], ['error', 'device_io', 'partial']);
});

test('an aborted installation is canceled', () => {
  const { state } = installingRun().feed(inputs.result('aborted'));
  assert.deepEqual([state.status, state.diskState], ['canceled', 'partial']);
});

test('a command that is refused or fails ends the run with the reason', () => {
  const refuse = (state: 'rejected' | 'failed' | 'canceled') =>
    new RunDriver().feed(inputs.prepared, { type: 'refused', state, reason: 'busy' }).state;
  assert.deepEqual([refuse('rejected').status, refuse('rejected').errorCode], ['error', 'command_rejected']);
  assert.deepEqual([refuse('failed').status, refuse('failed').errorCode], ['error', 'command_failed']);
  assert.match(refuse('failed').errorMessage ?? '', /busy/);
  assert.equal(refuse('canceled').status, 'canceled');
});

test('what becomes of the command is of no interest once the machine has left', () => {
  const { state } = installingRun().feed(inputs.result('booting'), { type: 'refused', state: 'canceled', reason: 'x' });
  assert.equal(state.status, 'in_progress');
});

test('the percentage never goes back and stays below 100 until the end', () => {
  const run = installingRun().feed(inputs.event({ percent: 60 }), inputs.event({ percent: 20 }));
  assert.equal(run.state.progressPercent, 60);
  assert.equal(run.feed(inputs.event({ percent: 100 })).state.progressPercent, 99);
});

test('an installer that was started anew begins a new attempt; late words of the old one change nothing', () => {
  const run = installingRun().feed(inputs.event({ percent: 60 }), inputs.event({ percent: 1 }, 'second'));
  assert.equal(run.state.progressPercent, 1);
  run.feed(inputs.event({ percent: 70 }), inputs.result('failed'));
  assert.deepEqual([run.state.status, run.state.progressPercent], ['in_progress', 1]);
  run.feed(inputs.result('booting', 'second'), inputs.helloInstalled('this'), inputs.cloudInit('done'));
  assert.equal(run.state.status, 'completed');
});

test('what an installed system hands in of a boot that nobody heard of begins no attempt', () => {
  const run = new RunDriver().feed(inputs.prepared, inputs.accepted, inputs.helloInstalled('this'));
  const there = run.state;
  run.feed(inputs.event({ percent: 90 }), inputs.result('booting'), inputs.result('failed', 'unknown'));
  assert.equal(run.state, there);
});

test('a machine that begins again and again ends as an error', () => {
  const run = installingRun();
  for (let boot = 2; boot <= 5; boot += 1) run.feed(inputs.event({}, `boot ${boot}`));
  assert.equal(run.state.status, 'in_progress');
  run.feed(inputs.event({}, 'boot 6'));
  assert.deepEqual([run.state.status, run.state.errorCode], ['error', 'too_many_attempts']);
});

test('before the command is stored no machine can speak of the run', () => {
  const run = new RunDriver();
  const before = run.state;
  run.feed(
    inputs.accepted,
    inputs.event(),
    inputs.result('failed'),
    inputs.helloInstalled('this'),
    inputs.cloudInit('done'),
  );
  assert.equal(run.state, before);
});

test('a template that fails ends the run before it begins', () => {
  const { state } = new RunDriver().feed({ type: 'render_failed', message: 'role web, line 3: syntax error' });
  assert.deepEqual([state.status, state.errorMessage], ['render_failed', 'role web, line 3: syntax error']);
});

test('a run that has ended stays as it is', () => {
  const run = installingRun().feed(inputs.result('failed'));
  const ended = run.state;
  run
    .wait(60 * minuteMs)
    .feed(
      inputs.event(),
      inputs.result('booting'),
      inputs.helloInstalled('this'),
      inputs.cloudInit('done'),
      inputs.time(),
      { type: 'cancel', reach: 'connected' },
      { type: 'restart', commandUuid: 'command-2', message: 'again' },
    );
  assert.equal(run.state, ended);
});

test('cancel: before it began, in the installer, away, and after the system was installed', () => {
  const cancel = (run: RunDriver, reach: 'none' | 'connected' | 'away') => run.feed({ type: 'cancel', reach }).state;
  const queued = cancel(new RunDriver(), 'none');
  assert.deepEqual([queued.status, queued.diskState], ['canceled', 'untouched']);
  assert.equal(cancel(new RunDriver().feed(inputs.prepared, inputs.accepted), 'none').status, 'canceled');
  assert.equal(cancel(installingRun(), 'away').status, 'canceled');
  const booting = cancel(installingRun().feed(inputs.result('booting')), 'connected');
  assert.deepEqual([booting.status, booting.diskState], ['canceled', 'complete']);
  const asked = installingRun();
  assert.equal(cancel(asked, 'connected').status, 'in_progress');
  const ended = asked.feed(inputs.result('aborted')).state;
  assert.deepEqual([ended.status, ended.diskState], ['canceled', 'partial']);
});

test('a machine that refuses to cancel goes on; one that says nothing is given up after 5 minutes', () => {
  const refused = installingRun().feed({ type: 'cancel', reach: 'connected' });
  refused.feed({ type: 'cancel_refused', reason: 'past the commit' });
  assert.deepEqual([refused.state.status, refused.state.cancelRequestedAtMs], ['in_progress', null]);
  assert.match(refused.state.currentMessage, /past the commit/);
  const silent = installingRun().feed({ type: 'cancel', reach: 'connected' });
  assert.equal(silent.wait(5 * minuteMs - 1).feed(inputs.time()).state.status, 'in_progress');
  assert.equal(silent.wait(1).feed(inputs.time()).state.status, 'canceled');
});

test('a run that an installer was sent and has not accepted is given up 5 minutes after it was canceled, too', () => {
  const run = new RunDriver().feed(inputs.prepared, { type: 'cancel', reach: 'connected' });
  run.feed({ type: 'waiting', message: 'the machine has been told' });
  assert.deepEqual([run.state.status, run.state.currentMessage], ['queued', 'asked the machine to stop']);
  assert.equal(run.wait(5 * minuteMs - 1).feed(inputs.time()).state.status, 'queued');
  const { status, diskState } = run.wait(1).feed(inputs.time()).state;
  assert.deepEqual([status, diskState], ['canceled', null]);
});

test('an adopted machine begins its run again', () => {
  const run = installingRun().feed(inputs.event({ percent: 80, disk_state: 'partial' }));
  run.feed({ type: 'restart', commandUuid: 'command-2', message: 'adopted' });
  assert.deepEqual(
    [run.state.status, run.state.commandUuid, run.state.progressPercent, run.state.diskState],
    ['in_progress', 'command-2', 0, 'partial'],
  );
  run.feed(inputs.event({ percent: 3 }, 'other'), inputs.result('booting', 'other'));
  run.feed(inputs.helloInstalled('this'), inputs.cloudInit('done'));
  assert.equal(run.state.status, 'completed');
});
