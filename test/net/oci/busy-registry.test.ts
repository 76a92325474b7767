import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProvisionError } from '../../../core/base/errors.ts';
import { downloadLayer } from '../../builders/download-layer.ts';
import type { FaultAction } from '../../fakes/fault-script.ts';
import { freePort, Resources, waitFor } from '../../resources.ts';
import { failure, keptLog, openFaultyImage, openSource, platform, quickRetry, signal } from './faulty-image.ts';

const always = Number.POSITIVE_INFINITY;
const inSeconds = (seconds: number): Date => new Date(Date.now() + seconds * 1000);

// The form of Retry-After, and the wait that must follow (jitter of a tenth included), in milliseconds.
const forms: readonly (readonly [string, () => string | undefined, number, number])[] = [
  ['0 seconds', () => '0', 0, 100],
  ['seconds', () => '20', 20_000, 22_000],
  ['an HTTP date', () => inSeconds(20).toUTCString(), 18_000, 22_000],
  ['epoch seconds', () => String(Math.floor(inSeconds(20).getTime() / 1000)), 18_000, 22_000],
  ['an absurd number', () => '86400', 60_000, 66_000],
  ['a date far away', () => 'Fri, 31 Dec 9999 23:59:59 GMT', 60_000, 66_000],
  ['a date long ago', () => 'Thu, 01 Jan 1970 00:00:00 GMT', 0, 100],
  ['nothing', () => undefined, 0, quickRetry.firstDelayMs],
  ['nonsense', () => 'in a while', 0, quickRetry.firstDelayMs],
];

for (const [name, header, fromMs, toMs] of forms) {
  test(`F07 429 and 503 with Retry-After as ${name}: the wait is ${fromMs} to ${toMs} ms`, async () => {
    await using resources = new Resources();
    for (const status of [429, 503]) {
      const { log, lines } = keptLog();
      const { registry, source, layer } = await openFaultyImage(resources, { source: { log } });
      const value = header();
      const headers: Record<string, string> = value === undefined ? {} : { 'retry-after': value };
      registry.script.add({ answer: { kind: 'status', status, headers } });
      const controller = new AbortController();
      const download = downloadLayer(source, layer, 'zstd', { signal: controller.signal });
      const waited = waitFor('the retry', () => lines.find((line) => line['text'] === 'trying again'), {
        timeoutMs: 5000,
        intervalMs: 2,
      });
      const delayMs = Number((await waited)['delay_ms']);
      assert.ok(delayMs >= fromMs && delayMs <= toMs, `${delayMs} ms`);
      if (toMs > 1000) {
        controller.abort();
        await assert.rejects(download, failure('aborted'));
      } else {
        assert.equal((await download).unpackedBytes, 300_000);
      }
    }
  });
}

test('F07 the wait that was asked for is really waited', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources);
  registry.script.add({ answer: { kind: 'status', status: 429, headers: { 'retry-after': '1' } } });
  const started = performance.now();
  await downloadLayer(source, layer, 'zstd');
  assert.ok(performance.now() - started >= 1000);
});

const html =
  '<html><head><title>503 Service Temporarily Unavailable</title></head><body><center><h1>503</h1></center></body></html>';

test('F07 when the tries are spent the error is readable, whatever the body was', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources);
  const spent: readonly (readonly [FaultAction, string, RegExp])[] = [
    [
      { kind: 'status', status: 503, body: html },
      'registry_error',
      /layer 0 .*HTTP 503 \(503 Service Temporarily Unavailable 503\)$/,
    ],
    [
      { kind: 'status', status: 429, body: '{"errors":[{"code":"TOOMANYREQUESTS","message":"rate limit"}]}' },
      'registry_rate_limited',
      /HTTP 429 \(TOOMANYREQUESTS: rate limit\)$/,
    ],
    [{ kind: 'status', status: 500, body: 'x'.repeat(200_000) }, 'registry_error', /x{100,200}…\)$/],
    [{ kind: 'status', status: 502 }, 'registry_error', /HTTP 502$/],
  ];
  for (const [answer, code, message] of spent) {
    const before = registry.requests.length;
    registry.script.add({ times: quickRetry.attempts, answer });
    await assert.rejects(downloadLayer(source, layer, 'zstd'), failure(code, message));
    assert.equal(registry.requests.length - before, quickRetry.attempts);
  }
});

test('F07 a manifest is asked for again as well', async () => {
  await using resources = new Resources();
  const { registry, source } = await openFaultyImage(resources);
  registry.script.add({ on: 'manifest', times: 3, answer: { kind: 'status', status: 503 } });
  await source.resolve(platform, { signal });
  registry.script.add({ on: 'manifest', times: always, answer: { kind: 'status', status: 503, body: html } });
  await assert.rejects(source.resolve(platform, { signal }), failure('registry_error', /the manifest of .*503/));
});

test('what asking again cannot change is asked once', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources);
  for (const [status, code] of [
    [404, 'image_not_found'],
    [403, 'registry_auth'],
    [400, 'registry_error'],
    [451, 'registry_error'],
  ] as const) {
    const before = registry.requests.length;
    registry.script.add({ answer: { kind: 'status', status } });
    await assert.rejects(downloadLayer(source, layer, 'zstd'), failure(code));
    assert.equal(registry.requests.length - before, 1, String(status));
  }
});

test('a registry that is not there is named, and is worth another try later', async () => {
  await using resources = new Resources();
  const host = `127.0.0.1:${await freePort()}`;
  const source = await openSource(resources, `${host}/os/test`);
  await assert.rejects(source.resolve(platform, { signal }), (error) => {
    failure('registry_unreachable', new RegExp(`${host} cannot be reached`))(error);
    return error instanceof ProvisionError && error.retryable && error.facts['errno'] === 'ECONNREFUSED';
  });
});
