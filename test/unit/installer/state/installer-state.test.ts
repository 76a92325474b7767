import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { initialInstallerState, reduceInstaller } from '../../../../installer/state/installer-state.ts';
import { screenOf } from '../../../../installer/state/screen-of.ts';
import { installerEvent } from '../../../builders/installer-event-arbitrary.ts';
import { link, provisionEvent, scenes, stateOf } from '../../../builders/installer-scenes.ts';

const events = fc.array(installerEvent, { maxLength: 60 });

test('any sequence of events leads to facts and a screen', () => {
  fc.assert(
    fc.property(events, (sequence) => {
      const state = stateOf(sequence);
      assert.match(screenOf(state), /^[a-z]+$/);
      assert.equal(new Set(state.links.map(({ name }) => name)).size, state.links.length, 'a link is listed twice');
      const percent = state.provision?.percent ?? 0;
      assert.ok(percent >= 0 && percent <= 100);
    }),
  );
});

test('an event changes nothing that was known before it', () => {
  fc.assert(
    fc.property(events, installerEvent, (sequence, event) => {
      const state = stateOf(sequence);
      const before = structuredClone(state);
      reduceInstaller(state, event);
      // Drawn objects have no prototype, clones have.
      assert.deepEqual(structuredClone(state), before);
    }),
  );
});

test('the newest fact of each kind wins', () => {
  fc.assert(
    fc.property(events, installerEvent, (sequence, event) => {
      const state = stateOf([...sequence, event]);
      if (event.kind === 'link')
        assert.deepEqual(
          state.links.find(({ name }) => name === event.link.name),
          event.link,
        );
      if (event.kind === 'link_gone') assert.ok(!state.links.some(({ name }) => name === event.name));
      if (event.kind === 'server') assert.deepEqual([state.server, state.pin], [event.server, event.pin]);
      if (event.kind === 'trouble') assert.deepEqual(state.trouble, event.trouble);
      if (event.kind === 'working_link') assert.equal(state.workingLink, event.name);
      if (event.kind === 'question') assert.deepEqual(state.question, event.question);
      if (event.kind === 'enrolled') assert.equal(state.machineUuid, event.machineUuid);
      if (event.kind === 'leaving') assert.equal(screenOf(state), 'leaving');
    }),
  );
});

test('a failed installation stays on the screen until the next begins', () => {
  const failed = stateOf(scenes['failed'] ?? []);
  assert.equal(screenOf(failed), 'failed');
  const isEnd = new Set(['provision_started', 'provision', 'leaving']);
  fc.assert(
    fc.property(events, (sequence) => {
      const after = sequence.filter(({ kind }) => !isEnd.has(kind)).reduce(reduceInstaller, failed);
      assert.equal(screenOf(after), 'failed');
      assert.equal(after.provision?.outcome?.code, 'download_interrupted');
    }),
  );
  // A late event of the same run does not bring it back to life.
  const late = reduceInstaller(failed, provisionEvent(99, { step: 'layer_extraction', percent: 60 }));
  assert.deepEqual(late, failed);
  const next = { kind: 'provision_started', provisionUuid: 'another', image: 'x:1', disk: null } as const;
  assert.equal(screenOf(reduceInstaller(failed, next)), 'provisioning');
});

test('an older event of an installation changes nothing, and the percentage never goes back', () => {
  const state = stateOf(scenes['provisioning'] ?? []);
  const older = reduceInstaller(state, provisionEvent(5, { step: 'partition_resize', state: 'failed', percent: 99 }));
  assert.deepEqual(older, state);
  const lower = reduceInstaller(state, provisionEvent(50, { step: 'layer_extraction', percent: 3, bytes_done: 7 }));
  assert.equal(lower.provision?.percent, 47.3);
  assert.equal(lower.provision?.bytesDone, 7);
});

test('the step that ran when the installation failed has failed, those before it have not', () => {
  const { provision } = stateOf(scenes['failed'] ?? []);
  assert.equal(provision?.steps.layer_extraction.mark, 'failed');
  assert.equal(provision?.steps.partition_resize.mark, 'succeeded');
  assert.equal(provision?.steps.agent_injection.mark, 'waiting');
});

test('F11 when the clock is set, times taken before it move with it', () => {
  const sinceMs = Date.parse('1970-01-01T00:00:40Z');
  const state = stateOf([
    { kind: 'link', link: link('eth0', { sinceMs }) },
    { kind: 'trouble', trouble: { code: 'server_unreachable', what: 'x', todo: 'y', retryAtMs: sinceMs + 5000 } },
    { kind: 'clock_set', from: '1970-01-01T00:01:00Z', to: '2026-11-20T12:00:00Z' },
  ]);
  assert.equal(state.links[0]?.sinceMs, Date.parse('2026-11-20T11:59:40Z'));
  assert.equal(state.trouble?.retryAtMs, Date.parse('2026-11-20T11:59:45Z'));
});

test('each scene leads to its screen', () => {
  const screens = Object.fromEntries(
    Object.entries(scenes).map(([name, sequence]) => [name, screenOf(stateOf(sequence))]),
  );
  assert.deepEqual(screens, {
    starting: 'starting',
    network: 'network',
    'network-cable': 'network',
    question: 'question',
    'question-problem': 'question',
    enrolling: 'enrolling',
    'enrolling-problem': 'enrolling',
    approval: 'approval',
    waiting: 'waiting',
    'waiting-problem': 'waiting',
    provisioning: 'provisioning',
    installed: 'provisioning',
    failed: 'failed',
    aborted: 'failed',
    leaving: 'leaving',
    crash: 'network',
    worst: 'network',
  });
});

test('a lost link is a matter of the network again, also for an enrolled machine', () => {
  const waiting = stateOf(scenes['waiting'] ?? []);
  assert.equal(screenOf(reduceInstaller(waiting, { kind: 'working_link', name: null })), 'network');
  assert.equal(screenOf(reduceInstaller(waiting, { kind: 'link_gone', name: 'eno2' })), 'network');
  assert.equal(screenOf(initialInstallerState), 'starting');
});
