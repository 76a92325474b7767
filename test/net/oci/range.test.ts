import assert from 'node:assert/strict';
import { test } from 'node:test';
import { downloadLayer } from '../../builders/download-layer.ts';
import type { FaultAction } from '../../fakes/fault-script.ts';
import { Resources } from '../../resources.ts';
import { failure, noise, openFaultyImage, signal } from './faulty-image.ts';

const always = Number.POSITIVE_INFINITY;
const dropAt = 50_000;

/** Drops the first download at 50 kB, and answers ranges as `answer` says. */
async function dropThen(resources: Resources, answer: FaultAction, times = always) {
  const faulty = await openFaultyImage(resources, { layers: [{ bytes: noise(200_000), codec: 'none' }] });
  faulty.registry.script.add(
    { ranged: false, answer: { kind: 'reset-at', blobByte: dropAt } },
    { ranged: true, times, answer },
  );
  return faulty;
}

const discarding: readonly (readonly [string, FaultAction])[] = [
  ['200 to a range: the known part is read and dropped', { kind: 'ignore-range' }],
  ['416 to a range that is there: the whole blob is asked for', { kind: 'status', status: 416 }],
  ['206 without Content-Range', { kind: 'content-range', value: null, fromByte: dropAt }],
  ['206 of the beginning instead', { kind: 'content-range', value: 'bytes 0-199999/200000', fromByte: 0 }],
  ['206 of a later part', { kind: 'content-range', value: 'bytes 60000-199999/200000', fromByte: 60_000 }],
  ['206 that is not understandable', { kind: 'content-range', value: 'bytes 50000-', fromByte: dropAt }],
];

for (const [name, answer] of discarding) {
  test(`F04 ${name}: the stream is whole and unmixed`, async () => {
    await using resources = new Resources();
    const { registry, source, layer } = await dropThen(resources, answer);
    await downloadLayer(source, layer, 'none');
    await registry.settled();
    const requests = registry.blobRequests(layer.digest);
    assert.ok(
      requests.some(({ range }) => range !== null),
      'a range was tried',
    );
    assert.equal(requests.at(-1)?.sentBytes, 200_000, 'the last answer was the whole blob');
  });
}

test('F04 a server that sends less than the range asked for is asked for the rest', async () => {
  await using resources = new Resources();
  const part = { kind: 'content-range', value: 'bytes 50000-59999/200000', fromByte: dropAt, toByte: 60_000 } as const;
  const { registry, source, layer } = await dropThen(resources, part, 1);
  await downloadLayer(source, layer, 'none');
  const ranges = registry.blobRequests(layer.digest).map(({ range }) => range);
  assert.deepEqual(ranges, [null, 'bytes=50000-199999', 'bytes=60000-199999']);
});

test('F04 416 with another size of the blob is an error with both sizes', async () => {
  await using resources = new Resources();
  const headers = { 'content-range': 'bytes */51000' };
  const { source, layer } = await dropThen(resources, { kind: 'status', status: 416, headers });
  await assert.rejects(downloadLayer(source, layer, 'none'), failure('size_mismatch', /51000 .*200000/));
});

test('F04 206 that names another size of the blob is an error', async () => {
  await using resources = new Resources();
  const value = 'bytes 50000-199999/300000';
  const { source, layer } = await dropThen(resources, { kind: 'content-range', value, fromByte: dropAt });
  await assert.rejects(downloadLayer(source, layer, 'none'), failure('size_mismatch', /300000/));
});

test('F04 a changed ETag is tried once more, then an error; nothing of the other version is delivered', async () => {
  await using resources = new Resources();
  const changed: FaultAction = { kind: 'header', name: 'etag', value: '"another"' };
  const once = await dropThen(resources, changed, 1);
  await downloadLayer(once.source, once.layer, 'none');
  assert.equal(once.registry.script.pending, 0);

  const { registry, source, layer } = await dropThen(resources, changed);
  let gotBytes = 0;
  const stream = source.openBlob(layer, { signal }).on('data', (chunk: Buffer) => {
    gotBytes += chunk.length;
  });
  await assert.rejects(stream.toArray(), failure('registry_error'));
  assert.ok(gotBytes <= dropAt);
  assert.equal(registry.blobRequests(layer.digest).length, 3);
});

test('F04 a weak ETag says nothing about bytes and is not compared', async () => {
  await using resources = new Resources();
  const { source, layer } = await dropThen(resources, { kind: 'header', name: 'etag', value: 'W/"x"' });
  await downloadLayer(source, layer, 'none');
});

test('F04 a redirect on resume to another place with another ETag is followed', async () => {
  await using resources = new Resources();
  const layers = [{ bytes: noise(200_000), codec: 'none' }] as const;
  const { registry, source, layer } = await openFaultyImage(resources, { layers });
  const location = `http://${registry.storageHost}/v2/elsewhere/blobs/${layer.digest}`;
  registry.script.add(
    { ranged: false, answer: { kind: 'reset-at', blobByte: dropAt } },
    { at: 'registry', ranged: true, answer: { kind: 'redirect', location } },
    { at: 'storage', answer: { kind: 'header', name: 'etag', value: '"storage"' } },
  );
  // The storage wants a signature, which this Location has not: 403, then the registry itself again.
  const { resumes } = await downloadLayer(source, layer, 'none');
  assert.equal(resumes.length, 1);
  assert.equal(registry.script.pending, 0);
});

test('F04 a body with more bytes than the blob has is an error, also when it all looked well', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources);
  registry.script.add({ answer: { kind: 'longer', extraBytes: 1 } });
  await assert.rejects(downloadLayer(source, layer, 'zstd'), failure('size_mismatch', /layer 0 .*more bytes/));
});

test('F04 a part that was asked for ends there even when the server sends the whole blob', async () => {
  await using resources = new Resources();
  const bytes = noise(30_000_000);
  const { registry, source, layer } = await openFaultyImage(resources, { layers: [{ bytes, codec: 'none' }] });
  registry.script.add({ times: always, answer: { kind: 'ignore-range' } });
  const part = source.openBlob(layer, { signal, offsetBytes: 100_000, lengthBytes: 50_000 });
  assert.ok(Buffer.concat(await part.toArray()).equals(bytes.subarray(100_000, 150_000)));
  await registry.settled();
  const [request] = registry.blobRequests(layer.digest);
  assert.ok((request?.sentBytes ?? 0) < bytes.length, 'the rest of the blob was fetched for nothing');
});

test('F04 206 that goes on behind the part asked for is not used', async () => {
  await using resources = new Resources();
  const bytes = noise(200_000);
  const { registry, source, layer } = await openFaultyImage(resources, { layers: [{ bytes, codec: 'none' }] });
  registry.script.add({
    answer: { kind: 'content-range', value: 'bytes 1000-9999/200000', fromByte: 1000, toByte: 10_000 },
  });
  const part = source.openBlob(layer, { signal, offsetBytes: 1000, lengthBytes: 500 });
  assert.ok(Buffer.concat(await part.toArray()).equals(bytes.subarray(1000, 1500)));
  const ranges = registry.blobRequests(layer.digest).map(({ range }) => range);
  assert.deepEqual(ranges, ['bytes=1000-1499', null]);
});

test('a content encoding that was not asked for is refused', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources);
  registry.script.add({ answer: { kind: 'header', name: 'content-encoding', value: 'gzip' } });
  await assert.rejects(downloadLayer(source, layer, 'zstd'), failure('registry_error', /content encoding gzip/));
});
