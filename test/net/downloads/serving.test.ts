import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { collectingLogger } from '../../builders/collecting-logger.ts';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import { Resources, waitFor } from '../../resources.ts';

const bundlePath = '/download/durantic-linux-x64.tar.gz';
const bundle = randomBytes(1_000_003);
const sha256 = createHash('sha256').update(bundle).digest('hex');

async function serve(resources: Resources): Promise<TestServer & { assetsDir: string }> {
  const assetsDir = resources.tempDir();
  writeFileSync(join(assetsDir, 'durantic-linux-x64.tar.gz'), bundle);
  return { ...(await startTestServer(resources, { settings: { assetsDir } })), assetsDir };
}

test('a file is served whole, in parts, by its version, and as headers only', async () => {
  await using resources = new Resources();
  const server = await serve(resources);
  const whole = await server.fetch(bundlePath);
  assert.equal(whole.status, 200);
  assert.equal(whole.headers.get('content-length'), '1000003');
  assert.equal(whole.headers.get('accept-ranges'), 'bytes');
  assert.equal(whole.headers.get('content-type'), 'application/gzip');
  assert.deepEqual(Buffer.from(await whole.arrayBuffer()), bundle);

  const part = await server.fetch(bundlePath, { headers: { range: 'bytes=500000-500099' } });
  assert.equal(part.status, 206);
  assert.equal(part.headers.get('content-range'), 'bytes 500000-500099/1000003');
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), bundle.subarray(500_000, 500_100));

  const beyond = await server.fetch(bundlePath, { headers: { range: 'bytes=1000003-' } });
  assert.equal(beyond.status, 416);
  assert.equal(beyond.headers.get('content-range'), 'bytes */1000003');

  const known = await server.fetch(bundlePath, { headers: { 'if-none-match': whole.headers.get('etag') ?? '' } });
  assert.equal(known.status, 304);
  assert.equal(await known.text(), '');

  const head = await server.fetch(bundlePath, { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(head.headers.get('content-length'), '1000003');
  assert.equal(head.headers.get('etag'), whole.headers.get('etag'));
  assert.equal(await head.text(), '');

  const digest = await server.fetch(`${bundlePath}.sha256`);
  assert.equal(await digest.text(), `${sha256}  durantic-linux-x64.tar.gz\n`);
});

test('curl resumes a download that was cut off', async () => {
  await using resources = new Resources();
  const server = await serve(resources);
  const file = join(resources.tempDir(), 'bundle');
  writeFileSync(file, bundle.subarray(0, 600_000));
  const args = [
    '-sSf',
    '-k',
    '--pinnedpubkey',
    server.leafPin,
    '-C',
    '-',
    '-w',
    '%{http_code} %{size_download}',
    '-o',
    file,
  ];
  const { stdout } = await runCommand('curl', [...args, `${server.url}${bundlePath}`]);
  assert.equal(stdout, '206 400003');
  assert.equal((await runCommand('sha256sum', [file])).stdout.slice(0, 64), sha256);
});

test('the SHA-256 follows the file, also when its size and time stay', async () => {
  await using resources = new Resources();
  const server = await serve(resources);
  const file = join(server.assetsDir, 'durantic-linux-x64.tar.gz');
  const time = new Date('2026-01-01T00:00:00Z');
  utimesSync(file, time, time);
  assert.ok((await (await server.fetch(`${bundlePath}.sha256`)).text()).startsWith(sha256));
  const other = randomBytes(bundle.byteLength);
  writeFileSync(`${file}.new`, other);
  utimesSync(`${file}.new`, time, time);
  renameSync(`${file}.new`, file);
  const digest = createHash('sha256').update(other).digest('hex');
  const texts = await Promise.all([1, 2, 3].map(async () => await (await server.fetch(`${bundlePath}.sha256`)).text()));
  assert.deepEqual(new Set(texts), new Set([`${digest}  durantic-linux-x64.tar.gz\n`]));
  assert.match(await (await server.fetch('/install.sh')).text(), new RegExp(`^bundle_sha256='${digest}'$`, 'm'));
});

test("the installer's kernel is served with the digest of the file as it is now", async () => {
  await using resources = new Resources();
  const { assetsDir, ...server } = await serve(resources);
  const digest = async (): Promise<string> => await (await server.fetch('/boot/vmlinuz.sha256')).text();
  for (const kernel of ['one kernel', 'and another']) {
    writeFileSync(join(assetsDir, 'vmlinuz.new'), kernel);
    renameSync(join(assetsDir, 'vmlinuz.new'), join(assetsDir, 'vmlinuz'));
    assert.equal(await digest(), `${createHash('sha256').update(kernel).digest('hex')}  vmlinuz\n`);
    assert.equal(await (await server.fetch('/boot/vmlinuz')).text(), kernel);
  }
});

test('what is not there is 404 with the command that builds it; install.sh tells it itself', async () => {
  await using resources = new Resources();
  const empty = await startTestServer(resources, { settings: { assetsDir: resources.tempDir() } });
  const none = await startTestServer(resources);
  const paths = {
    [bundlePath]: 'build-binary',
    '/boot/vmlinuz': 'build-installer',
    '/boot/vmlinuz.sha256': 'build-installer',
    '/boot/installer.iso': 'build-installer',
  };
  for (const [path, builder] of Object.entries(paths)) {
    for (const [server, hint] of [
      [empty, 'given with --assets'],
      [none, 'start the server with --assets'],
    ] as const) {
      const { status, body } = await server.api<{ detail: string }>('GET', path);
      assert.equal(status, 404, path);
      assert.match(body.detail, new RegExp(`build it with \\./scripts/${builder} .*${hint}`));
    }
  }
  const script = await (await none.fetch('/install.sh')).text();
  assert.match(
    script,
    /^bundle_missing='the server has no durantic-linux-x64\.tar\.gz: build it with \.\/scripts\/build-binary/m,
  );
});

test('only regular files are served, only those, and nothing outside the folder', async () => {
  await using resources = new Resources();
  const assetsDir = resources.tempDir();
  mkdirSync(join(assetsDir, 'vmlinuz'));
  writeFileSync(join(assetsDir, 'secret'), 'secret');
  symlinkSync('/dev/zero', join(assetsDir, 'installer.iso'));
  const server = await startTestServer(resources, { settings: { assetsDir } });
  for (const path of ['/boot/vmlinuz', '/boot/installer.iso'])
    assert.equal((await server.fetch(path)).status, 404, path);
  const attempts = [
    '/download/secret',
    '/download/..%2fsecret',
    '/boot/..%2f..%2fetc%2fpasswd',
    '/boot/%2e%2e/secret',
    '/download/',
  ];
  for (const path of attempts) assert.equal((await server.fetch(path)).status, 404, path);
});

test('a file that is there but cannot be read is said to be so', async () => {
  await using resources = new Resources();
  const assetsDir = resources.tempDir();
  symlinkSync('vmlinuz', join(assetsDir, 'vmlinuz'));
  const server = await startTestServer(resources, { settings: { assetsDir } });
  const { status, body } = await server.api<{ detail: string }>('GET', '/boot/vmlinuz');
  assert.equal(status, 503);
  assert.equal(body.detail, 'the server cannot read vmlinuz (ELOOP)');
});

/** A download that stops reading after the headers until it is told to go on. */
async function slowDownload(
  server: TestServer,
  path: string,
): Promise<{ rest: () => Promise<number>; lengthBytes: number }> {
  const response = await server.fetch(path);
  const reader = response.body?.getReader();
  assert.ok(reader !== undefined);
  const rest = async (): Promise<number> => {
    let total = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return total;
      total += value.byteLength;
    }
  };
  return { rest, lengthBytes: Number(response.headers.get('content-length')) };
}

test('a file that is replaced is served to its end; one that is written to meanwhile breaks off', async () => {
  await using resources = new Resources();
  const assetsDir = resources.tempDir();
  const file = join(assetsDir, 'vmlinuz');
  const { log, lines } = collectingLogger('warn');
  const server = await startTestServer(resources, { settings: { assetsDir }, log });
  const sizeBytes = 64 * 1024 * 1024;
  const fill = (path: string): void => {
    writeFileSync(path, '');
    truncateSync(path, sizeBytes);
  };
  fill(file);
  const replaced = await slowDownload(server, '/boot/vmlinuz');
  fill(`${file}.new`);
  renameSync(`${file}.new`, file);
  assert.equal(await replaced.rest(), sizeBytes);

  const changed = await slowDownload(server, '/boot/vmlinuz');
  writeFileSync(file, 'x', { flag: 'r+' });
  await assert.rejects(changed.rest());

  const cut = await slowDownload(server, '/boot/vmlinuz');
  truncateSync(file, 1024 * 1024);
  await assert.rejects(cut.rest());
  const warnings = lines.filter(({ msg }) => msg === 'a download broke off');
  assert.equal(warnings.length, 2);
  assert.match(String(warnings[0]?.['error']), /was changed while it was read/);
});

test('a receiver that goes away takes its file with it', async () => {
  await using resources = new Resources();
  const assetsDir = resources.tempDir();
  const file = join(assetsDir, 'vmlinuz');
  writeFileSync(file, '');
  truncateSync(file, 256 * 1024 * 1024);
  const { log, lines } = collectingLogger('warn');
  const server = await startTestServer(resources, { settings: { assetsDir, tls: { kind: 'none' } }, log });
  const open = async (): Promise<number> => {
    const { stdout } = await runCommand('find', ['/proc/self/fd', `/proc/${process.pid}/fd`, '-lname', file]);
    return stdout.split('\n').filter((line) => line !== '').length;
  };
  const socket = connect(server.port, '127.0.0.1');
  socket.write(`GET /boot/vmlinuz HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`);
  await new Promise((resolve) => socket.once('readable', resolve));
  assert.equal(await open(), 1);
  socket.destroy();
  await waitFor('the file to be closed', async () => (await open()) === 0);
  assert.deepEqual(lines, []);
});
