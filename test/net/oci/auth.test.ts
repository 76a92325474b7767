import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeCertificates } from '../../builders/certificates.ts';
import { downloadLayer } from '../../builders/download-layer.ts';
import { writeLayout } from '../../builders/oci-image.ts';
import { startFaultyRegistry } from '../../fakes/faulty-registry.ts';
import { Resources } from '../../resources.ts';
import { failure, keptLog, noise, openFaultyImage, openSource, platform, signal } from './faulty-image.ts';

test('F05 a token that expires mid-layer is replaced, and the layer goes on where it was', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources, { tokens: { usesPerToken: 4 } });
  registry.script.add({ times: 6, answer: { kind: 'truncate', afterBytes: 20_000 } });
  const before = tokenRequests(registry.requests);
  await downloadLayer(source, layer, 'zstd');
  assert.equal(registry.script.pending, 0);
  assert.ok(tokenRequests(registry.requests) - before >= 1, 'a new token was fetched');
  const refused = registry.blobRequests(layer.digest).filter(({ status }) => status === 401);
  assert.ok(refused.length >= 1 && refused.length <= 2, `${refused.length} requests were refused`);
});

test('F05 a registry that answers an expired token with 403 gets a new one as well', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources, { tokens: {} });
  registry.script.add({ answer: { kind: 'truncate', afterBytes: 9 } }, { answer: { kind: 'status', status: 403 } });
  const before = tokenRequests(registry.requests);
  await downloadLayer(source, layer, 'zstd');
  assert.equal(tokenRequests(registry.requests), before + 1);
});

test('F05 a signed URL that expires mid-layer is replaced by asking the registry again', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources, { storage: { usesPerSignature: 1 } });
  registry.script.add(
    { at: 'storage', answer: { kind: 'truncate', afterBytes: 20_000 } },
    { at: 'storage', answer: { kind: 'status', status: 403, body: '<Error><Code>ExpiredToken</Code></Error>' } },
    { at: 'storage', answer: { kind: 'status', status: 400, body: '<Error><Code>ExpiredToken</Code></Error>' } },
  );
  const { resumes } = await downloadLayer(source, layer, 'zstd');
  await registry.settled();
  assert.deepEqual(
    resumes.map(({ atBytes, attempt }) => [atBytes, attempt]),
    [[20_000, 3]],
  );
  const last = registry.blobRequests(layer.digest).at(-1);
  assert.deepEqual([last?.at, last?.range], ['storage', `bytes=20000-${layer.sizeBytes - 1}`]);
  const signatures = registry.requests.filter(({ at }) => at === 'storage').map(({ query }) => query);
  assert.equal(new Set(signatures).size, signatures.length, 'no signed URL was used twice');
});

test('F05 a registry that refuses even a fresh token is an error at once, not a loop', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources, { tokens: { usesPerToken: 2 } });
  const denied = { status: 401, headers: { 'www-authenticate': `Bearer realm="http://${registry.host}/token"` } };
  const body = '{"errors":[{"code":"DENIED","message":"requested access is denied"}]}';
  registry.script.add({ times: Number.POSITIVE_INFINITY, answer: { kind: 'status', ...denied, body } });
  const before = registry.requests.length;
  await assert.rejects(
    downloadLayer(source, layer, 'zstd'),
    failure('registry_auth', /layer 0 .*401.*DENIED: requested access/),
  );
  assert.ok(registry.requests.length - before <= 4);
});

test('F05 several downloads that meet an expired token share a new one', async () => {
  await using resources = new Resources();
  const layers = Array.from({ length: 4 }, (_, index) => ({ bytes: noise(50_000, index), codec: 'none' as const }));
  const { registry, source, image } = await openFaultyImage(resources, { layers, tokens: { delayMs: 300 } });
  const headers = { 'www-authenticate': `Bearer realm="http://${registry.host}/token"` };
  for (const { digest } of image.layers)
    registry.script.add({ digest, answer: { kind: 'status', status: 401, headers } });
  const before = tokenRequests(registry.requests);
  await Promise.all(image.layers.map((layer) => downloadLayer(source, layer, 'none')));
  assert.equal(tokenRequests(registry.requests) - before, 1);
});

test('a token server that is down for a moment is tried again, one that gives no token is an error', async () => {
  await using resources = new Resources();
  const layout = await writeLayout(resources.tempDir(), { layers: [{ bytes: noise(10), codec: 'none' }] });
  const unavailable = { on: 'token', times: 2, answer: { kind: 'status', status: 503 } } as const;
  const empty = { on: 'token', answer: { kind: 'status', status: 200, body: '{"token":""}' } } as const;
  const registry = await startFaultyRegistry(resources, {
    image: layout.dir,
    tokens: {},
    script: [unavailable, empty],
  });
  const source = await openSource(resources, `${registry.host}/os/test:latest`);
  await assert.rejects(source.resolve(platform, { signal }), failure('registry_auth', /without a usable token/));
  assert.equal((await source.resolve(platform, { signal })).layers.length, 1);
});

test('F06 after a redirect to another origin the Authorization stays at home and the signature out of the log', async () => {
  await using resources = new Resources();
  const { log, lines, text } = keptLog();
  const options = { tokens: {}, storage: {}, source: { log } };
  const { registry, source, layer } = await openFaultyImage(resources, options);
  registry.script.add(
    { at: 'storage', answer: { kind: 'reset', afterBytes: 20_000 } },
    { at: 'storage', answer: { kind: 'status', status: 503 } },
    { at: 'storage', answer: { kind: 'status', status: 403 } },
  );
  await downloadLayer(source, layer, 'zstd');
  const atStorage = registry.requests.filter(({ at }) => at === 'storage');
  const atRegistry = registry.blobRequests(layer.digest).filter(({ at }) => at === 'registry');
  assert.ok(atStorage.length >= 4 && atStorage.every(({ query }) => query.includes('X-Signature=')));
  assert.ok(atStorage.every(({ authorization }) => authorization === null));
  assert.ok(atRegistry.every(({ authorization }) => authorization?.startsWith('Bearer ')));
  assert.ok(
    lines.some(({ url }) => String(url).includes(registry.storageHost)),
    'the redirect is in the log',
  );
  const secrets = [
    ...atStorage.map(({ query }) => query.split('=')[1] ?? ''),
    ...atRegistry.map(({ authorization }) => authorization?.slice(7) ?? ''),
  ];
  for (const secret of secrets) assert.ok(secret !== '' && !text().includes(secret), 'a secret is in the log');
});

test('F06 errors of the storage name it without the signature', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources, { storage: {} });
  registry.script.add({ at: 'storage', times: Number.POSITIVE_INFINITY, answer: { kind: 'status', status: 403 } });
  await assert.rejects(downloadLayer(source, layer, 'zstd'), (error) => {
    failure('registry_error', new RegExp(`${registry.storageHost}.*layer 0.*403`))(error);
    const all = JSON.stringify([error, (error as Error).message, (error as Error).stack]);
    return !all.includes('X-Signature');
  });
});

test('F06 redirects that go round, nowhere or from HTTPS to HTTP are refused', async () => {
  await using resources = new Resources();
  const { registry, source, layer } = await openFaultyImage(resources);
  const round = `http://${registry.host}/v2/os/test/blobs/${layer.digest}`;
  registry.script.add({ times: 6, answer: { kind: 'redirect', location: round, status: 302 } });
  await assert.rejects(downloadLayer(source, layer, 'zstd'), failure('registry_error', /more than 5 times/));
  for (const location of ['ftp://127.0.0.1/x', 'http://', '']) {
    registry.script.add({ answer: { kind: 'redirect', location: location || 'javascript:1' } });
    await assert.rejects(downloadLayer(source, layer, 'zstd'), failure('registry_error', /nowhere/), location);
  }
  registry.script.add({ times: 5, answer: { kind: 'redirect', location: round, status: 308 } });
  await downloadLayer(source, layer, 'zstd');
});

test('F06 a registry on HTTPS cannot lead us to plain HTTP', async () => {
  await using resources = new Resources();
  const tls = await makeCertificates(resources);
  const layout = await writeLayout(resources.tempDir(), { layers: [{ bytes: noise(10), codec: 'none' }] });
  const registry = await startFaultyRegistry(resources, { image: layout.dir, tls, storage: {} });
  const source = await openSource(resources, `${registry.host}/os/test:latest`, {
    plainHttp: false,
    caFile: tls.caFile,
  });
  await assert.rejects(source.resolve(platform, { signal }), failure('registry_error', /HTTPS to plain HTTP/));
  assert.ok(registry.requests.every(({ at }) => at === 'registry'));
});

function tokenRequests(requests: readonly { on: string }[]): number {
  return requests.filter(({ on }) => on === 'token').length;
}
