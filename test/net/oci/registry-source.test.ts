import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeCertificates } from '../../builders/certificates.ts';
import { downloadLayer } from '../../builders/download-layer.ts';
import { type WrittenLayout, writeLayout } from '../../builders/oci-image.ts';
import { startRegistry } from '../../builders/registry.ts';
import { startTokenServer } from '../../fakes/token-server.ts';
import { Resources } from '../../resources.ts';
import { failure, noise, openSource, platform, signal } from './faulty-image.ts';

const arm64 = { os: 'linux', architecture: 'arm64' };
const layers = [
  { bytes: noise(500_000, 5), codec: 'zstd' },
  { bytes: noise(300_000, 6), codec: 'gzip' },
  { bytes: noise(100_000, 7), codec: 'none' },
] as const;

async function writeImage(resources: Resources): Promise<WrittenLayout> {
  const others = [{ layers: [{ bytes: noise(9), codec: 'gzip' as const }], platform: arm64, labels: { is: 'arm64' } }];
  return await writeLayout(resources.tempDir(), {
    layers,
    labels: { is: 'amd64' },
    index: { others, attestations: true },
  });
}

test('an image pushed by skopeo to a real registry is resolved and every layer verified', async () => {
  await using resources = new Resources();
  const layout = await writeImage(resources);
  const registry = await startRegistry(resources);
  const reference = await registry.push(layout.reference, 'os/debian:12');
  for (const text of [
    reference,
    `${registry.host}/os/debian@${layout.indexDigest}`,
    `${registry.host}/os/debian@${layout.manifest.digest}`,
  ]) {
    const source = await openSource(resources, text);
    const image = await source.resolve(platform, { signal });
    assert.equal(image.manifestDigest, layout.manifest.digest);
    assert.deepEqual(image.labels, { is: 'amd64' });
    const sizes = [];
    for (const [index, layer] of image.layers.entries()) {
      sizes.push((await downloadLayer(source, layer, layers[index]?.codec ?? 'none')).unpackedBytes);
    }
    assert.deepEqual(
      sizes,
      layers.map(({ bytes }) => bytes.length),
    );
  }
  const source = await openSource(resources, reference);
  assert.deepEqual((await source.resolve(arm64, { signal })).labels, { is: 'arm64' });
});

test('a Docker schema 2 image, as skopeo converts it, is resolved', async () => {
  await using resources = new Resources();
  const layout = await writeLayout(resources.tempDir(), {
    layers: [{ bytes: noise(1000), codec: 'gzip' }],
  });
  const registry = await startRegistry(resources);
  const source = await openSource(resources, await registry.push(layout.reference, 'os/docker:1', { docker: true }));
  const image = await source.resolve(platform, { signal });
  assert.equal(image.mediaType, 'application/vnd.docker.distribution.manifest.v2+json');
  const [layer] = image.layers;
  assert.ok(layer);
  assert.equal((await downloadLayer(source, layer, 'gzip')).unpackedBytes, 1000);
});

test('parts of a blob come from a real registry as they are in the whole', async () => {
  await using resources = new Resources();
  const bytes = noise(3_000_000, 8);
  const layout = await writeLayout(resources.tempDir(), { layers: [{ bytes, codec: 'none' }] });
  const registry = await startRegistry(resources);
  const source = await openSource(resources, await registry.push(layout.reference, 'os/raw:1'));
  const [layer] = (await source.resolve(platform, { signal })).layers;
  assert.ok(layer);
  for (const [offsetBytes, lengthBytes] of [
    [0, 64],
    [2_999_999, 1],
    [1_000_000, 1_000_000],
    [0, 3_000_000],
    [5, 0],
  ] as const) {
    const part = await source.openBlob(layer, { signal, offsetBytes, lengthBytes }).toArray();
    assert.ok(Buffer.concat(part).equals(bytes.subarray(offsetBytes, offsetBytes + lengthBytes)), `${offsetBytes}`);
  }
});

test('what a registry does not have is an error that names it', async () => {
  await using resources = new Resources();
  const layout = await writeImage(resources);
  const registry = await startRegistry(resources);
  await registry.push(layout.reference, 'os/debian:12');
  for (const name of ['os/debian:13', 'os/nothing:12', `os/debian@sha256:${'0'.repeat(64)}`]) {
    const source = await openSource(resources, `${registry.host}/${name}`);
    await assert.rejects(
      source.resolve(platform, { signal }),
      failure('image_not_found', /manifest.*HTTP 404 \((MANIFEST|NAME)_UNKNOWN/),
      name,
    );
  }
  const source = await openSource(resources, `${registry.host}/os/debian:12`);
  const missing = { mediaType: '', digest: `sha256:${'0'.repeat(64)}`, sizeBytes: 5, index: 7, diffId: null };
  await assert.rejects(downloadLayer(source, missing, 'none'), failure('image_not_found', /layer 7/));
});

test('F12 a private CA is trusted when it is given, and only then; plain HTTP is never a fallback', async () => {
  await using resources = new Resources();
  const layout = await writeImage(resources);
  const tls = await makeCertificates(resources);
  const registry = await startRegistry(resources, { tls });
  const reference = await registry.push(layout.reference, 'os/debian:12');
  const trusting = await openSource(resources, reference, { plainHttp: false, caFile: tls.caFile });
  const [layer] = (await trusting.resolve(platform, { signal })).layers;
  assert.ok(layer);
  await downloadLayer(trusting, layer, 'zstd');

  const untrusting = await openSource(resources, reference, { plainHttp: false });
  await assert.rejects(untrusting.resolve(platform, { signal }), (error) => {
    return failure('tls_untrusted', new RegExp(registry.host))(error) && !(error as { retryable: boolean }).retryable;
  });
  const otherCa = (await makeCertificates(resources)).caFile;
  const misled = await openSource(resources, reference, { plainHttp: false, caFile: otherCa });
  await assert.rejects(misled.resolve(platform, { signal }), failure('tls_untrusted'));

  const plain = await startRegistry(resources);
  const source = await openSource(resources, await plain.push(layout.reference, 'os/debian:12'), { plainHttp: false });
  await assert.rejects(
    source.resolve(platform, { signal }),
    failure('registry_unreachable', /does not speak TLS.*--plain-http/),
  );
});

test('F12 a CA file that is none is an error before anything is asked', async () => {
  await using resources = new Resources();
  for (const caFile of ['/nowhere/ca.pem', '/etc/hostname']) {
    await assert.rejects(
      openSource(resources, '127.0.0.1:1/os', { plainHttp: false, caFile }),
      failure('usage', /CA file/),
    );
  }
});

test('a registry that wants tokens gets them from its token server, one for all requests', async () => {
  await using resources = new Resources();
  const layout = await writeImage(resources);
  const tokenAuth = await startTokenServer(resources);
  const registry = await startRegistry(resources, { tokenAuth });
  const reference = await registry.push(layout.reference, 'os/debian:12');
  tokenAuth.requests.splice(0);
  const source = await openSource(resources, reference);
  const image = await source.resolve(platform, { signal });
  for (const [index, layer] of image.layers.entries())
    await downloadLayer(source, layer, layers[index]?.codec ?? 'none');
  assert.deepEqual(tokenAuth.requests, [{ scopes: ['repository:os/debian:pull'], authorization: null }]);
});

test('a token is renewed before it expires, without the registry having to refuse it', async () => {
  await using resources = new Resources();
  const layout = await writeImage(resources);
  const tokenAuth = await startTokenServer(resources);
  const registry = await startRegistry(resources, { tokenAuth });
  const reference = await registry.push(layout.reference, 'os/debian:12');
  tokenAuth.saidLifetimeSeconds = 0.001;
  tokenAuth.requests.splice(0);
  const source = await openSource(resources, reference);
  const image = await source.resolve(platform, { signal });
  const before = tokenAuth.requests.length;
  const [layer] = image.layers;
  assert.ok(layer);
  await downloadLayer(source, layer, 'zstd');
  assert.equal(tokenAuth.requests.length, before + 1);
});

test('credentials go to the token server, and to a registry that asks for Basic, and nowhere unasked', async () => {
  await using resources = new Resources();
  const layout = await writeImage(resources);
  const tokenAuth = await startTokenServer(resources);
  const registry = await startRegistry(resources, { tokenAuth });
  const reference = await registry.push(layout.reference, 'os/debian:12');
  tokenAuth.requests.splice(0);
  const asked: string[] = [];
  const credentials = (name: string) => {
    asked.push(name);
    return { username: 'me', password: 'pa:ss' };
  };
  const source = await openSource(resources, reference, { credentials });
  await source.resolve(platform, { signal });
  const basic = `Basic ${Buffer.from('me:pa:ss').toString('base64')}`;
  assert.deepEqual(
    tokenAuth.requests.map(({ authorization }) => authorization),
    [basic],
  );
  assert.deepEqual(asked, [registry.host]);
});
