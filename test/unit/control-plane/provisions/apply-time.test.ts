import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inputs, installingRun, minuteMs, RunDriver, startMs } from '../../../builders/run-inputs.ts';

test('an installer that is connected and says nothing for 15 minutes times out, and not earlier', () => {
  const run = installingRun()
    .wait(15 * minuteMs - 1)
    .feed(inputs.time());
  assert.equal(run.state.status, 'in_progress');
  run.wait(1).feed(inputs.time());
  assert.deepEqual([run.state.status, run.state.errorCode], ['timeout', 'timeout']);
  assert.match(run.state.errorMessage ?? '', /installer is connected but has said nothing for 15 minutes/);
});

test('a machine that is away has its boot timeout', () => {
  const away = inputs.time({ isConnected: false, bootTimeoutMs: 30 * minuteMs });
  const run = installingRun()
    .wait(30 * minuteMs - 1)
    .feed(away);
  assert.equal(run.state.status, 'in_progress');
  assert.equal(run.wait(1).feed(away).state.status, 'timeout');
  assert.match(run.state.errorMessage ?? '', /boot media/);
});

test('an installed system that does not enter the installer has the boot timeout', () => {
  const run = new RunDriver().feed(inputs.prepared, inputs.accepted).wait(20 * minuteMs);
  assert.equal(run.feed(inputs.time({ mode: 'installed' })).state.status, 'in_progress');
  assert.equal(run.wait(25 * minuteMs).feed(inputs.time({ mode: 'installed' })).state.status, 'timeout');
  assert.match(run.state.errorMessage ?? '', /has not entered the installer/);
});

test('a machine that has left for the installed system has its boot timeout, however often it says hello', () => {
  const run = installingRun().feed(inputs.result('booting'));
  for (let minute = 0; minute < 44; minute += 1) {
    run.wait(minuteMs).feed(inputs.helloInstaller('again'), inputs.time({ isConnected: false }));
  }
  assert.equal(run.state.status, 'in_progress');
  run.wait(minuteMs).feed(inputs.helloInstaller('again'), inputs.time({ isConnected: false }));
  assert.equal(run.state.status, 'timeout');
});

test('a machine that comes back into the installer instead is told so after 15 minutes', () => {
  const run = installingRun()
    .feed(inputs.result('booting'))
    .wait(15 * minuteMs)
    .feed(inputs.time());
  assert.equal(run.state.status, 'timeout');
  assert.match(run.state.errorMessage ?? '', /boot from other media/);
});

test('a connection that the way into the installed system left open is no installer', () => {
  const run = installingRun().feed(inputs.result('booting'));
  const heardAtMs = run.nowMs + 10_000;
  run.wait(5 * minuteMs).feed(inputs.time({ heardAtMs, bootTimeoutMs: 5 * minuteMs }));
  assert.equal(run.state.status, 'timeout');
  assert.match(run.state.errorMessage ?? '', /has not connected 5 minutes after the machine left for it/);
});

test('a hello counts as a sign of life while the installation goes on', () => {
  const run = installingRun()
    .wait(40 * minuteMs)
    .feed(inputs.time({ isConnected: false }), inputs.helloInstaller());
  assert.equal(run.wait(minuteMs).feed(inputs.time()).state.status, 'in_progress');
});

test('an installer that hangs ends although its link comes and goes: a hello is no event', () => {
  const run = installingRun();
  for (let minute = 0; minute < 44; minute += 11) {
    run.wait(11 * minuteMs).feed(inputs.helloInstaller(), inputs.time());
    assert.equal(run.state.status, 'in_progress', `after ${minute + 11} minutes`);
  }
  run.wait(minuteMs).feed(inputs.time());
  assert.equal(run.state.status, 'timeout');
  assert.match(run.state.errorMessage ?? '', /said nothing for 45 minutes/);
});

test('an installer that is back has 15 minutes to say something, also where the boot timeout is shorter', () => {
  const facts = { bootTimeoutMs: 5 * minuteMs };
  const run = installingRun()
    .wait(4 * minuteMs)
    .feed(inputs.helloInstaller());
  run.wait(11 * minuteMs - 1).feed(inputs.time(facts));
  assert.equal(run.state.status, 'in_progress');
  assert.equal(run.wait(1).feed(inputs.time(facts)).state.status, 'timeout');
  const late = installingRun()
    .wait(14 * minuteMs)
    .feed(inputs.helloInstaller());
  late.wait(15 * minuteMs - 1).feed(inputs.time());
  assert.equal(late.state.status, 'in_progress');
  assert.equal(late.wait(1).feed(inputs.time()).state.status, 'timeout');
});

test('an installed system that says hello again and again does not put off its boot timeout', () => {
  const run = new RunDriver().feed(inputs.prepared, inputs.accepted);
  for (let minute = 0; minute < 45; minute += 5) {
    run.wait(5 * minuteMs).feed(inputs.helloInstalled('another', 'old'), inputs.time({ mode: 'installed' }));
  }
  assert.equal(run.state.status, 'timeout');
});

test('a clock that was set back holds up no time-out', () => {
  const dayMs = 24 * 60 * minuteMs;
  for (const begin of [
    () => installingRun(),
    () => installingRun().feed(inputs.result('booting')),
    () => installingRun().feed(inputs.result('booting'), inputs.helloInstalled('this')),
    () => installingRun().feed({ type: 'cancel', reach: 'connected' }),
  ]) {
    const run = begin().wait(-dayMs);
    const facts = { isConnected: false, observedSinceMs: run.nowMs };
    run.feed(inputs.time(facts));
    assert.equal(run.state.status, 'in_progress');
    run.wait(45 * minuteMs).feed(inputs.time(facts));
    assert.notEqual(run.state.status, 'in_progress');
  }
});

test('silence from before the server was started is nobody’s fault', () => {
  const run = installingRun().wait(180 * minuteMs);
  const observedSinceMs = run.nowMs;
  assert.equal(run.feed(inputs.time({ isConnected: false, observedSinceMs })).state.status, 'in_progress');
  run.wait(45 * minuteMs);
  assert.equal(run.feed(inputs.time({ isConnected: false, observedSinceMs })).state.status, 'timeout');
});

test('silence of cloud-init from before the server was started is not counted either', () => {
  const run = installingRun()
    .feed(inputs.result('booting'), inputs.helloInstalled('this'))
    .wait(60 * minuteMs);
  const observedSinceMs = run.nowMs;
  assert.equal(run.feed(inputs.time({ observedSinceMs })).state.status, 'in_progress');
  assert.equal(run.feed(inputs.cloudInit('done')).state.status, 'completed');
});

test('a queued run waits for ever', () => {
  const run = new RunDriver().feed(inputs.prepared).wait(365 * 24 * 60 * minuteMs);
  assert.equal(run.feed(inputs.time({ isConnected: false })).state.status, 'queued');
});

test('F58 a slow installation of three hours meets no timeout and its percentage is true', () => {
  const run = installingRun();
  const steps = 13;
  for (let index = 1; index <= steps; index += 1) {
    run.wait((180 * minuteMs) / steps);
    const percent = 10 + (index / steps) * 80;
    run.feed(inputs.time(), inputs.event({ percent }));
    assert.equal(run.state.status, 'in_progress');
    assert.equal(run.state.progressPercent, percent);
  }
  assert.ok(run.nowMs - startMs >= 180 * minuteMs - steps);
  run
    .feed(inputs.result('booting'))
    .wait(44 * minuteMs)
    .feed(inputs.time({ isConnected: false }));
  run.feed(inputs.helloInstalled('this'), inputs.cloudInit('done'));
  assert.equal(run.state.status, 'completed');
});
