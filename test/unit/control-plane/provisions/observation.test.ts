import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Observation } from '../../../../control-plane/provisions/observation.ts';
import { silentLogger } from '../../../../core/base/logger.ts';
import { FakeClock } from '../../../builders/server-context.ts';

function start() {
  const clock = new FakeClock();
  return { clock, startMs: clock.now(), observation: new Observation({ clock, log: silentLogger }) };
}

test('time that passes is observed, also by a busy server whose looks come late', () => {
  const { clock, observation, startMs } = start();
  for (let index = 0; index < 1000; index += 1) {
    clock.advance(index % 10 === 0 ? 50_000 : 2000);
    assert.equal(observation.look(), false);
  }
  assert.equal(observation.sinceMs, startMs);
});

test('a clock that is put right bit by bit is no step', () => {
  const { clock, observation, startMs } = start();
  for (let index = 0; index < 1000; index += 1) {
    clock.advance(2000);
    clock.step(-160);
    assert.equal(observation.look(), false);
  }
  assert.equal(observation.sinceMs, startMs);
});

for (const [name, happen] of [
  ['a clock that is set forward, or a suspended machine', (clock: FakeClock) => clock.step(15 * 60_000)],
  ['a clock that is set back', (clock: FakeClock) => clock.step(-24 * 3_600_000)],
  ['a server that was frozen', (clock: FakeClock) => clock.advance(15 * 60_000)],
] as const) {
  test(`${name} makes the observation begin anew, once`, () => {
    const { clock, observation } = start();
    clock.advance(2000);
    observation.look();
    happen(clock);
    assert.equal(observation.look(), true);
    assert.equal(observation.sinceMs, clock.now());
    const sinceMs = clock.now();
    clock.advance(2000);
    assert.equal(observation.look(), false);
    assert.equal(observation.sinceMs, sinceMs);
  });
}
