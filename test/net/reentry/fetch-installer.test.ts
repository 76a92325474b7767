import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ServerEndpoint } from '../../../agent/link/server-endpoint.ts';
import { type CachedInstaller, fetchInstaller } from '../../../agent/reentry/fetch-installer.ts';
import { ProvisionError } from '../../../core/base/errors.ts';
import { startTestServer } from '../../builders/server.ts';
import { Resources } from '../../resources.ts';

const sha256Of = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** A server with an installer, and a machine's cache. */
async function start(resources: Resources, kernel: Uint8Array | null = randomBytes(3_000_001)) {
  const assetsDir = resources.tempDir();
  const put = (data: Uint8Array): void => writeFileSync(join(assetsDir, 'vmlinuz'), data);
  if (kernel !== null) put(kernel);
  const server = await startTestServer(resources, { settings: { assetsDir } });
  const endpoint = new ServerEndpoint({ config: { server: server.url, pin: server.pin }, setClock: null });
  resources.defer('close the endpoint', async () => await endpoint[Symbol.asyncDispose]());
  const cacheDir = join(resources.tempDir(), 'installer');
  const told: string[] = [];
  const asked: string[] = [];
  /** Every download goes by here. */
  const counted = (change: (path: string, body: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>) => ({
    url: endpoint.url,
    download: async (path: string, signal: AbortSignal) => {
      asked.push(path);
      const download = await endpoint.download(path, signal);
      return { ...download, body: change(path, download.body) };
    },
  });
  const fetch = async (change = (_path: string, body: AsyncIterable<Uint8Array>) => body): Promise<CachedInstaller> =>
    await fetchInstaller({
      endpoint: counted(change),
      cacheDir,
      onProgress: (message) => told.push(message),
      signal: AbortSignal.timeout(20_000),
      firstDelayMs: 1,
    });
  return { put, cacheDir, told, asked, fetch };
}

const code = (expected: string) => (error: unknown) => error instanceof ProvisionError && error.code === expected;

test('the installer is fetched once per version, private, and fetched anew when the server has another', async () => {
  await using resources = new Resources();
  const first = randomBytes(3_000_001);
  const { put, cacheDir, told, asked, fetch } = await start(resources, first);
  const installer = await fetch();
  assert.deepEqual(
    [installer.path, installer.sha256, installer.sizeBytes],
    [join(cacheDir, 'vmlinuz'), sha256Of(first), first.length],
  );
  assert.deepEqual(readFileSync(installer.path), first);
  assert.equal(statSync(installer.path).mode & 0o777, 0o600);
  assert.equal(statSync(cacheDir).mode & 0o777, 0o700);
  assert.deepEqual(told, ['fetching the installer, 3 MiB']);
  await fetch();
  assert.deepEqual(asked, ['/boot/vmlinuz.sha256', '/boot/vmlinuz', '/boot/vmlinuz.sha256'], 'the second is the cache');
  const second = randomBytes(2_000_000);
  put(second);
  assert.deepEqual(readFileSync((await fetch()).path), second);
  assert.deepEqual(readdirSync(cacheDir).sort(), ['vmlinuz', 'vmlinuz.json']);
});

test('a cached installer that was damaged, or cut short, is fetched again', async () => {
  await using resources = new Resources();
  const kernel = randomBytes(1_000_000);
  const { cacheDir, asked, fetch } = await start(resources, kernel);
  await fetch();
  const damaged = Buffer.from(kernel);
  damaged.writeUInt8(damaged.readUInt8(500_000) ^ 1, 500_000);
  for (const data of [damaged, kernel.subarray(0, 999_999), Buffer.alloc(0)]) {
    writeFileSync(join(cacheDir, 'vmlinuz'), data);
    asked.length = 0;
    assert.deepEqual(readFileSync((await fetch()).path), kernel);
    assert.deepEqual(asked, ['/boot/vmlinuz.sha256', '/boot/vmlinuz']);
  }
});

test('what a power cut leaves of a download is no installer', async () => {
  await using resources = new Resources();
  const kernel = randomBytes(1_000_000);
  const { cacheDir, fetch } = await start(resources, kernel);
  mkdirSync(cacheDir, { recursive: true });
  writeFileSync(join(cacheDir, 'vmlinuz.new'), kernel.subarray(0, 5000));
  writeFileSync(join(cacheDir, 'vmlinuz.json'), '{"sha');
  assert.deepEqual(readFileSync((await fetch()).path), kernel);
});

test('bytes that are not those of the digest are refused, and nothing of them is kept', async () => {
  await using resources = new Resources();
  const { cacheDir, fetch } = await start(resources);
  const alter = (path: string, body: AsyncIterable<Uint8Array>) => (path.endsWith('vmlinuz') ? altered(body) : body);
  await assert.rejects(fetch(alter), code('digest_mismatch'));
  assert.deepEqual(readdirSync(cacheDir), []);
  await fetch();
});

async function* altered(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let isFirst = true;
  for await (const chunk of body) {
    const copy = Buffer.from(chunk);
    if (isFirst) copy.writeUInt8(copy.readUInt8(0) ^ 1, 0);
    isFirst = false;
    yield copy;
  }
}

test('an answer that breaks off is asked for again', async () => {
  await using resources = new Resources();
  const kernel = randomBytes(4_000_000);
  const { asked, fetch } = await start(resources, kernel);
  let breaks = 2;
  const breakOff = (path: string, body: AsyncIterable<Uint8Array>) =>
    path.endsWith('vmlinuz') && breaks-- > 0 ? brokenOff(body) : body;
  assert.deepEqual(readFileSync((await fetch(breakOff)).path), kernel);
  assert.equal(asked.filter((path) => path === '/boot/vmlinuz').length, 3);
});

async function* brokenOff(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    yield chunk;
    throw new ProvisionError('server_unreachable', 'the connection broke off');
  }
}

test("a file that is replaced between the server's two answers is fetched as the newer one", async () => {
  await using resources = new Resources();
  const { put, fetch } = await start(resources, randomBytes(1_000_000));
  const newer = randomBytes(1_500_000);
  const replace = (path: string, body: AsyncIterable<Uint8Array>) =>
    path.endsWith('sha256') ? replaced(body, () => put(newer)) : body;
  assert.deepEqual(readFileSync((await fetch(replace)).path), newer);
});

async function* replaced(body: AsyncIterable<Uint8Array>, put: () => void): AsyncGenerator<Uint8Array> {
  yield* body;
  put();
}

test('a server without an installer says what builds it', async () => {
  await using resources = new Resources();
  const { fetch } = await start(resources, null);
  await assert.rejects(fetch(), (error: unknown) => {
    assert.ok(code('installer_unreachable')(error));
    assert.match(String((error as Error).cause), /build it with \.\/scripts\/build-installer/);
    return true;
  });
});
