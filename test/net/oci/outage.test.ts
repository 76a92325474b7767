import assert from 'node:assert/strict';
import { test } from 'node:test';
import { probeLayer } from '../../../agent/provision/steps/probe-layer.ts';
import type { RetryPolicy } from '../../../core/oci/blob-download.ts';
import { downloadLayer } from '../../builders/download-layer.ts';
import { Resources } from '../../resources.ts';
import { failure, openFaultyImage, openSource, platform, signal } from './faulty-image.ts';

const always = Number.POSITIVE_INFINITY;
const minuteMs = 60_000;
/** Waits of 0.25, 0.5, 1, 2, 4 and 8 s, then of 10 s each: the longest that the delays may be. */
const longestWaits = (): number => 0.999999;

/** The policy that installations have, on a clock that only its waits move. */
function ownClock(random = longestWaits): { readonly policy: Partial<RetryPolicy>; readonly ms: () => number } {
  let clockMs = 5000;
  const wait = async (delayMs: number): Promise<boolean> => {
    clockMs += delayMs;
    if (clockMs > 60 * minuteMs) throw new Error('an hour went by, and it is still tried');
    return false;
  };
  return { policy: { now: () => clockMs, wait, random }, ms: () => clockMs - 5000 };
}

/** A registry that goes away when a layer has come to 100 kB, and fails each request for the rest. */
async function cutOff(resources: Resources, clock: ReturnType<typeof ownClock>, failures: number) {
  const faulty = await openFaultyImage(resources, { source: { retryPolicy: clock.policy } });
  faulty.registry.script.add(
    { ranged: false, answer: { kind: 'truncate', afterBytes: 100_000 } },
    { ranged: true, times: failures, answer: { kind: 'reset', afterBytes: 0 } },
  );
  return faulty;
}

test('F62 a network that is gone for 5 minutes: the layer is gone on with where it ended, in one resume', async () => {
  await using resources = new Resources();
  const clock = ownClock();
  // 6 waits of 15.75 s together and 29 of 10 s.
  const { registry, source, layer } = await cutOff(resources, clock, 35);
  const { resumes, unpackedBytes } = await downloadLayer(source, layer, 'zstd');
  assert.equal(unpackedBytes, 300_000);
  assert.equal(registry.script.pending, 0);
  assert.ok(clock.ms() > 5 * minuteMs && clock.ms() < 6 * minuteMs, `${clock.ms()} ms`);
  assert.deepEqual(
    resumes.map(({ atBytes, attempt }) => ({ atBytes, attempt })),
    [{ atBytes: 100_000, attempt: 36 }],
  );
});

test('F62 a network that does not come back is given up after 10 minutes, and the error says so', async () => {
  await using resources = new Resources();
  const clock = ownClock();
  const { source, layer } = await cutOff(resources, clock, always);
  const says = new RegExp(`layer 0 .*: 100000 of ${layer.sizeBytes} bytes, then 66 tries in 10 min 6 s in vain: `);
  await assert.rejects(downloadLayer(source, layer, 'zstd'), failure('download_interrupted', says));
  assert.ok(clock.ms() > 10 * minuteMs && clock.ms() < 11 * minuteMs, `${clock.ms()} ms`);
});

test('F62 every new byte begins the 10 minutes anew', async () => {
  await using resources = new Resources();
  const clock = ownClock();
  const { registry, source, layer } = await cutOff(resources, clock, 40);
  registry.script.add(
    { ranged: true, answer: { kind: 'truncate', afterBytes: 1 } },
    { ranged: true, times: 40, answer: { kind: 'reset', afterBytes: 0 } },
  );
  const { resumes } = await downloadLayer(source, layer, 'zstd');
  assert.deepEqual(
    resumes.map(({ atBytes }) => atBytes),
    [100_000, 100_001],
  );
  assert.ok(clock.ms() > 11 * minuteMs, `${clock.ms()} ms`);
});

test('F07 waits that the registry asks for count: one past the 10 minutes is not begun, and the error says so', async () => {
  await using resources = new Resources();
  const clock = ownClock(() => 0);
  const { registry, source, layer } = await openFaultyImage(resources, { source: { retryPolicy: clock.policy } });
  registry.script.add({ times: always, answer: { kind: 'status', status: 429, headers: { 'retry-after': '50' } } });
  const says =
    /0 of \d+ bytes, then 13 tries in 10 min 0 s in vain; the registry asks for 50 s more, past the 10 min 0 s /;
  await assert.rejects(downloadLayer(source, layer, 'zstd'), failure('registry_rate_limited', says));
  assert.equal(clock.ms(), 10 * minuteMs);
  assert.equal(registry.blobRequests(layer.digest).length, 13);
});

test('the beginning of a layer that is looked at before anything is written is given up after a minute', async () => {
  await using resources = new Resources();
  const clock = ownClock();
  const { registry, source, layer } = await openFaultyImage(resources, { source: { retryPolicy: clock.policy } });
  registry.script.add({ times: always, answer: { kind: 'status', status: 503 } });
  const look = probeLayer(source, { ...layer, index: 0 }, { signal, maxWindowBytes: 2 ** 27 });
  await assert.rejects(look, failure('registry_error', /503/));
  assert.ok(clock.ms() > 30_000 && clock.ms() < 2 * minuteMs, `${clock.ms()} ms`);
});

test('a manifest and a config, which come before anything is written, are given up within a minute', async () => {
  await using resources = new Resources();
  const { registry, layout } = await openFaultyImage(resources);
  for (const fault of [{ on: 'blob', digest: layout.config.digest }, { on: 'manifest' }] as const) {
    const clock = ownClock();
    const source = await openSource(resources, `${registry.host}/os/test:latest`, { retryPolicy: clock.policy });
    const before = registry.requests.length;
    registry.script.add({ ...fault, times: always, answer: { kind: 'status', status: 503 } });
    await assert.rejects(source.resolve(platform, { signal }), failure('registry_error', /503/));
    assert.ok(clock.ms() < minuteMs, `${clock.ms()} ms`);
    assert.ok(registry.requests.length - before <= 6, `${registry.requests.length - before} requests`);
  }
});
