import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { downloadLayer } from '../../builders/download-layer.ts';
import { writeLayout } from '../../builders/oci-image.ts';
import { startFaultyRegistry } from '../../fakes/faulty-registry.ts';
import { Resources } from '../../resources.ts';
import { failure, noise, openFaultyImage, openSource, platform, signal } from './faulty-image.ts';

const always = Number.POSITIVE_INFINITY;

test('F08 a blob that differs from its digest is an error, and is fetched once', async () => {
  await using resources = new Resources();
  const layers = [{ bytes: noise(100_000), codec: 'none' }] as const;
  const { registry, source, layer } = await openFaultyImage(resources, { layers });
  registry.script.add({ times: always, answer: { kind: 'corrupt', blobByte: 77_777 } });
  await assert.rejects(downloadLayer(source, layer, 'none'), failure('digest_mismatch', /layer 0/));
  assert.equal(registry.blobRequests(layer.digest).length, 1);
});

test('F08 a damaged compressed blob is an error that names the layer, whatever notices first', async () => {
  await using resources = new Resources();
  for (const codec of ['gzip', 'zstd'] as const) {
    const { registry, source, layer } = await openFaultyImage(resources, {
      layers: [{ bytes: noise(100_000), codec }],
    });
    for (const blobByte of [0, 3, 5000, layer.sizeBytes - 1]) {
      registry.script.add({ answer: { kind: 'corrupt', blobByte } });
      await assert.rejects(downloadLayer(source, layer, codec), (error) => {
        const { code, message, kind } = error as { code: string; message: string; kind: string };
        assert.ok(
          kind === 'integrity' || code === 'memory_insufficient' || code === 'codec_unsupported',
          `${code}: ${message}`,
        );
        assert.match(message, /layer 0/);
        return true;
      });
    }
  }
});

test('F08 the right bytes under a wrong diffID are an error of their own', async () => {
  await using resources = new Resources();
  const layers = [{ bytes: noise(1000), codec: 'gzip', diffId: `sha256:${'7'.repeat(64)}` }] as const;
  const { source, layer } = await openFaultyImage(resources, { layers });
  await assert.rejects(downloadLayer(source, layer, 'gzip'), failure('diff_id_mismatch', /layer 0/));
});

test('F08 a right digest with a wrong size in the manifest is an error with both sizes, after two tries', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources);
  for (const sizeBytes of [layer.sizeBytes - 1, layer.sizeBytes + 1]) {
    const before = registry.blobRequests(layer.digest).length;
    const download = downloadLayer(source, { ...layer, sizeBytes }, 'zstd');
    await assert.rejects(download, failure('size_mismatch', new RegExp(`layer 0 .*${layer.sizeBytes}.*${sizeBytes}`)));
    assert.equal(registry.blobRequests(layer.digest).length - before, 2);
  }
});

test('F08 whole blobs whose compressed stream is not whole are errors, though digest and size are right', async () => {
  await using resources = new Resources();
  const bytes = noise(50_000);
  const gzip = gzipSync(bytes);
  const zstd = zstdCompressSync(bytes);
  const cases = [
    ['gzip', gzip.subarray(0, -9), 'stream_truncated'],
    ['zstd', zstd.subarray(0, -1), 'stream_truncated'],
    ['gzip', Buffer.concat([gzip, Buffer.alloc(512)]), 'stream_trailing_data'],
    ['zstd', Buffer.concat([zstd, Buffer.from('tail')]), 'stream_trailing_data'],
  ] as const;
  for (const [codec, stored, code] of cases) {
    const { source, layer } = await openFaultyImage(resources, { layers: [{ bytes, codec, stored }] });
    await assert.rejects(downloadLayer(source, layer, codec), failure(code, /layer 0/));
  }
});

test('F08 a manifest that differs from the digest it was asked by, or is served under, is an error', async () => {
  await using resources = new Resources();
  const layout = await writeLayout(resources.tempDir(), { layers: [{ bytes: noise(10), codec: 'none' }] });
  const registry = await startFaultyRegistry(resources, { image: layout.dir });
  for (const name of ['os/test:latest', `os/test@${layout.manifest.digest}`]) {
    registry.script.add({ on: 'manifest', answer: { kind: 'corrupt', blobByte: 2 } });
    const source = await openSource(resources, `${registry.host}/${name}`);
    await assert.rejects(source.resolve(platform, { signal }), failure('digest_mismatch', /the manifest of/), name);
  }
});
