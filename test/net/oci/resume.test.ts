import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import fc from 'fast-check';
import { ProvisionError } from '../../../core/base/errors.ts';
import { downloadLayer } from '../../builders/download-layer.ts';
import { Resources, waitFor } from '../../resources.ts';
import { failure, noise, openFaultyImage, signal } from './faulty-image.ts';

test('F01 a download that ends early but cleanly is gone on with where it ended', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources);
  registry.script.add(
    { answer: { kind: 'truncate', afterBytes: 1000 } },
    { answer: { kind: 'truncate', afterBytes: 70_000 } },
  );
  const { resumes, unpackedBytes } = await downloadLayer(source, layer, 'zstd');
  assert.equal(unpackedBytes, 300_000);
  assert.deepEqual(
    registry.blobRequests(layer.digest).map(({ range }) => range),
    [null, `bytes=1000-${layer.sizeBytes - 1}`, `bytes=71000-${layer.sizeBytes - 1}`],
  );
  assert.deepEqual(
    resumes.map(({ atBytes, attempt }) => ({ atBytes, attempt })),
    [
      { atBytes: 1000, attempt: 1 },
      { atBytes: 71_000, attempt: 1 },
    ],
  );
});

test('F01 a registry that has no more ends in an error with the layer, the bytes had and expected', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources);
  registry.script.add(
    { ranged: false, times: Number.POSITIVE_INFINITY, answer: { kind: 'truncate', afterBytes: 1000 } },
    { ranged: true, times: Number.POSITIVE_INFINITY, answer: { kind: 'truncate', afterBytes: 0 } },
  );
  await assert.rejects(downloadLayer(source, layer, 'zstd'), (error) => {
    failure('download_interrupted', new RegExp(`layer 0 .*1000 of ${layer.sizeBytes} bytes`))(error);
    assert.deepEqual(
      [(error as ProvisionError).facts['had_bytes'], (error as ProvisionError).facts['expected_bytes']],
      [1000, layer.sizeBytes],
    );
    return true;
  });
});

test('F01 a registry whose blob is shorter than the manifest says is told from a dropped connection', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources);
  registry.script.add({ times: Number.POSITIVE_INFINITY, answer: { kind: 'shorter', sizeBytes: 1000 } });
  await assert.rejects(
    downloadLayer(source, layer, 'zstd'),
    failure('size_mismatch', new RegExp(`layer 0 .*1000 bytes.*${layer.sizeBytes}`)),
  );
  assert.equal(registry.blobRequests(layer.digest).length, 2);
});

test('F03 ten resets in a row, at any byte of any layer: every byte arrives, and hardly one twice', async () => {
  await using resources = new Resources();
  const layers = [
    { bytes: noise(200_000, 2), codec: 'gzip' },
    { bytes: noise(150_000, 3), codec: 'zstd' },
  ] as const;
  const { registry, source, image } = await openFaultyImage(resources, { layers });
  const places = fc.array(fc.integer({ min: 0, max: 140_000 }), { minLength: 10, maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(0, 1), places, async (index, blobBytes) => {
      const layer = image.layers[index];
      assert.ok(layer);
      const before = registry.blobRequests(layer.digest).length;
      for (const blobByte of blobBytes.toSorted((left, right) => left - right)) {
        registry.script.add({ digest: layer.digest, answer: { kind: 'reset-at', blobByte } });
      }
      const { resumes } = await downloadLayer(source, layer, index === 0 ? 'gzip' : 'zstd');
      assert.equal(registry.script.pending, 0);
      await registry.settled();
      const requests = registry.blobRequests(layer.digest).slice(before);
      assert.equal(requests.length, 11);
      // Each request begins where our stream had ended; the last one brings all the rest.
      const starts = requests.map(({ range }) => Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0));
      assert.deepEqual([...new Set(starts)], [...new Set([0, ...resumes.map(({ atBytes }) => atBytes)])]);
      assert.deepEqual(
        starts,
        starts.toSorted((left, right) => left - right),
      );
      assert.equal((starts.at(-1) ?? 0) + (requests.at(-1)?.sentBytes ?? 0), layer.sizeBytes);
    }),
    { numRuns: 25 },
  );
});

test('F03 ten resets before the first byte are survived, and a server that only resets is given up', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources);
  registry.script.add({ times: 10, answer: { kind: 'reset', afterBytes: 0 } });
  await downloadLayer(source, layer, 'zstd');
  registry.script.add({ times: Number.POSITIVE_INFINITY, answer: { kind: 'reset', afterBytes: 0 } });
  await assert.rejects(
    downloadLayer(source, layer, 'zstd'),
    (error) => error instanceof ProvisionError && error.retryable,
  );
  assert.equal(registry.blobRequests(layer.digest).length, 11 + 12);
});

test('F03 progress resets the budget: more drops than the budget has tries', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources);
  registry.script.add({ times: 40, answer: { kind: 'truncate', afterBytes: 1000 } });
  await downloadLayer(source, layer, 'zstd');
  assert.equal(registry.script.pending, 0);
});

test('F09 a connection that stays open without a byte is given up after the stall timeout and resumed', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources, { source: { stallTimeoutMs: 300 } });
  registry.script.add(
    { answer: { kind: 'silence' } },
    { answer: { kind: 'stall', afterBytes: 0 } },
    { answer: { kind: 'stall', afterBytes: 5000 } },
  );
  const started = performance.now();
  const { resumes } = await downloadLayer(source, layer, 'zstd');
  const tookMs = performance.now() - started;
  assert.ok(tookMs >= 890, `${tookMs} ms`);
  assert.deepEqual(
    resumes.map(({ atBytes, attempt }) => [atBytes, attempt]),
    [
      [0, 3],
      [5000, 1],
    ],
  );
  assert.match(resumes[0]?.reason ?? '', /did not answer in time/);
  assert.match(resumes[1]?.reason ?? '', /nothing for 0.3 s/);
});

test('F09 a slow reader is no stall', async () => {
  await using resources = new Resources();
  const bytes = noise(4_000_000);
  const options = { layers: [{ bytes, codec: 'none' as const }], source: { stallTimeoutMs: 100 } };
  const { registry, source, layer } = await openFaultyImage(resources, options);
  let gotBytes = 0;
  let pauses = 0;
  for await (const chunk of source.openBlob(layer, { signal })) {
    gotBytes += chunk.length;
    if (pauses < 2) await new Promise((resolve) => setTimeout(resolve, 200));
    pauses += 1;
  }
  assert.equal(gotBytes, bytes.length);
  assert.equal(registry.blobRequests(layer.digest).length, 1);
});

test('F09 a slow server that keeps sending has no total timeout', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources, { source: { stallTimeoutMs: 400 } });
  registry.script.add({ answer: { kind: 'drip', pieces: 20, everyMs: 50 } });
  const started = performance.now();
  const { resumes } = await downloadLayer(source, layer, 'zstd');
  assert.ok(performance.now() - started > 900);
  assert.deepEqual(resumes, []);
});

test('a reader that stops makes the server stop: memory does not grow with the blob', async () => {
  await using resources = new Resources();
  const sizeBytes = 64_000_000;
  const { registry, source, layer } = await openFaultyImage(resources, {
    layers: [{ bytes: noise(sizeBytes), codec: 'none' }],
  });
  const stream = source.openBlob(layer, { signal });
  await once(stream, 'readable');
  const [request] = registry.blobRequests(layer.digest);
  let lastBytes = -1;
  await waitFor(
    'the server to stop',
    () => {
      const stopped = request !== undefined && request.sentBytes > 0 && request.sentBytes === lastBytes;
      lastBytes = request?.sentBytes ?? -1;
      return stopped;
    },
    { timeoutMs: 10_000, intervalMs: 200 },
  );
  // Most of this is in the kernel's socket buffers, which loopback makes large.
  assert.ok(lastBytes < sizeBytes / 3, `${lastBytes} bytes were taken for a reader that reads nothing`);
  assert.ok(stream.readableLength <= 1024 * 1024);
  stream.destroy();
});

test('a part of a blob is asked for as a closed range, and resumed within it', async () => {
  await using resources = new Resources();
  const bytes = noise(100_000);
  const { registry, source, layer } = await openFaultyImage(resources, { layers: [{ bytes, codec: 'none' }] });
  registry.script.add({ answer: { kind: 'truncate', afterBytes: 300 } });
  const options = { signal: signal, offsetBytes: 1000, lengthBytes: 2000 };
  const got = Buffer.concat(await source.openBlob(layer, options).toArray());
  assert.deepEqual(got, bytes.subarray(1000, 3000));
  assert.deepEqual(
    registry.blobRequests(layer.digest).map(({ range }) => range),
    ['bytes=1000-2999', 'bytes=1300-2999'],
  );
});

test('an abort ends a stalled download at once, with its reason', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources);
  registry.script.add({ answer: { kind: 'stall', afterBytes: 5000 } });
  const controller = new AbortController();
  const reason = new ProvisionError('aborted', 'the operator said stop');
  const stream = source.openBlob(layer, { signal: controller.signal });
  stream.on('data', () => controller.abort(reason));
  const started = performance.now();
  await assert.rejects(stream.toArray(), reason);
  assert.ok(performance.now() - started < 2000);
});

test('a stream that is destroyed while it waits for bytes is closed at once', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources);
  registry.script.add({ answer: { kind: 'stall', afterBytes: 5000 } });
  const stream = source.openBlob(layer, { signal }).resume();
  await once(stream, 'data');
  // The next read is under way by then.
  await new Promise((resolve) => setImmediate(resolve));
  const started = performance.now();
  stream.destroy();
  await once(stream, 'close');
  assert.ok(performance.now() - started < 2000);
});

test('closing the source ends its downloads', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources);
  registry.script.add({ answer: { kind: 'stall', afterBytes: 5000 } });
  const stream = source.openBlob(layer, { signal: signal });
  stream.once('data', () => void source.close());
  await assert.rejects(stream.toArray(), failure('aborted'));
});

test('a reader that goes away ends the connection', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources, {
    layers: [{ bytes: noise(20_000_000), codec: 'none' }],
  });
  for await (const _ of source.openBlob(layer, { signal: signal })) break;
  await downloadLayer(source, layer, 'none');
  await registry.settled();
  const [first, second] = registry.blobRequests(layer.digest);
  assert.equal(second?.sentBytes, 20_000_000);
  assert.ok((first?.sentBytes ?? 0) < 20_000_000, `${first?.sentBytes} bytes were sent to nobody`);
});
