import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ProvisionEvents } from '../../../../agent/provision/provision-events.ts';
import { ProvisionError } from '../../../../core/base/errors.ts';
import {
  type ProvisionEvent,
  provisionEventSchema,
  stepIds,
  stepWeights,
} from '../../../../protocol/provision-event.ts';

const provisionUuid = '7c9e6679-7425-40de-944b-e07fc1f90ae7';

function recorder(progressEveryMs = 0) {
  const seen: ProvisionEvent[] = [];
  let timeMs = 1_800_000_000_000;
  const events = new ProvisionEvents({
    provisionUuid,
    onEvent: (event) => seen.push(event),
    now: () => timeMs,
    progressEveryMs,
  });
  return { events, seen, advance: (byMs: number) => (timeMs += byMs) };
}

test('step weights add up to 100', () => {
  assert.equal(
    Object.values(stepWeights).reduce((sum, weight) => sum + weight, 0),
    100,
  );
});

test('percent never goes back, only the end gives 100, every event fits the schema', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.double({ min: -1, max: 2, noNaN: true }), { maxLength: 8 }), { minLength: 7, maxLength: 7 }),
      (fractions) => {
        const { events, seen } = recorder();
        stepIds.forEach((step, index) => {
          events.started(step);
          for (const fraction of fractions[index] ?? []) events.progress(step, { fraction });
          events.ended(step, 'succeeded', 'done');
        });
        assert.ok(seen.every((event) => event.percent < 100));
        events.finished('installed', 'complete');
        assert.equal(seen.at(-1)?.percent, 100);
        seen.forEach((event, index) => {
          provisionEventSchema.parse(event);
          assert.equal(event.seq, index + 1);
          assert.ok(event.percent >= (seen[index - 1]?.percent ?? 0), `percent went back at event ${event.seq}`);
        });
      },
    ),
  );
});

test('a failure is told twice: as the outcome of its step and as the end of the run, with code, disk state and exit code', () => {
  const { events, seen } = recorder();
  events.started('layer_extraction');
  const error = new ProvisionError('digest_mismatch', 'layer 1 is not what it should be', {
    facts: { layer: 1 },
    cause: new Error('why'),
  });
  events.failed('layer_extraction', error, 'partial');
  assert.deepEqual(
    seen.slice(1).map(({ step, state, code, disk_state, exit_code, message }) => ({
      step,
      state,
      code,
      disk_state,
      exit_code,
      message,
    })),
    [
      {
        step: 'layer_extraction',
        state: 'failed',
        code: 'digest_mismatch',
        disk_state: 'partial',
        exit_code: undefined,
        message: 'layer 1 is not what it should be: why',
      },
      {
        step: null,
        state: 'failed',
        code: 'digest_mismatch',
        disk_state: 'partial',
        exit_code: 5,
        message: 'layer 1 is not what it should be: why',
      },
    ],
  );
});

test('every event says how far the disk has come, and a change is told at once', () => {
  const { events, seen } = recorder(250);
  events.started('image_inspection');
  events.ended('image_inspection', 'succeeded', 'done');
  events.started('bootloader_streaming');
  events.progress('bootloader_streaming', { fraction: 0 });
  events.disk('bootloader_streaming', 'erased');
  events.disk('bootloader_streaming', 'partial');
  events.warning('bootloader_streaming', 'slow');
  events.ended('bootloader_streaming', 'succeeded', 'done');
  events.started('partition_resize');
  assert.deepEqual(
    seen.map(({ state, disk_state }) => [state, disk_state]),
    [
      ['started', 'untouched'],
      ['succeeded', 'untouched'],
      ['started', 'untouched'],
      ['progress', 'untouched'],
      ['progress', 'erased'],
      ['progress', 'partial'],
      ['warning', 'partial'],
      ['succeeded', 'partial'],
      ['started', 'partial'],
    ],
  );
  for (const event of seen) provisionEventSchema.parse(event);
});

test('progress is throttled and its rate is that of the last seconds', () => {
  const { events, seen, advance } = recorder(250);
  events.started('layer_extraction');
  for (let index = 0; index <= 100; index += 1) {
    events.progress('layer_extraction', {
      fraction: index / 100,
      bytesDone: index * 1_000_000,
      bytesTotal: 100_000_000,
    });
    advance(10);
  }
  const progress = seen.filter((event) => event.state === 'progress');
  assert.equal(progress.length, 5);
  const last = progress.at(-1);
  assert.equal(last?.rate_bps, 100_000_000);
  assert.equal(last?.bytes_total, 100_000_000);
});
