import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { dataFiles } from '../../../control-plane/server/data-files.ts';
import { ProvisionError } from '../../../core/base/errors.ts';
import { startServerProcess, startTestServer } from '../../builders/server.ts';
import { Resources } from '../../resources.ts';

const hasCode = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ProvisionError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, message);
  return true;
};

test('a server on an empty folder answers over TLS by its own CA, and knows its real port', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  assert.match(server.adminToken, /^dur_/);
  assert.match(server.pin, /^sha256:[0-9a-f]{64}$/);
  assert.deepEqual(server.context.publicUrls, [`https://127.0.0.1:${server.port}`]);
  const reply = await server.api('GET', '/nothing');
  assert.equal(reply.status, 404);
  assert.deepEqual(reply.body, { detail: 'there is nothing at this address' });
});

test('the first token works; a second start makes none and keeps account, token and pins', async () => {
  await using resources = new Resources();
  const first = await startTestServer(resources);
  const { dataDir, adminToken, pin, leafPin } = first;
  await first.close();
  const second = await startTestServer(resources, { settings: { dataDir }, adminToken });
  assert.equal(second.context.accountUuid, first.context.accountUuid);
  assert.deepEqual([second.pin, second.leafPin], [pin, leafPin]);
  const tokens = second.context.db.prepare('SELECT name, hash FROM api_tokens').all();
  assert.equal(tokens.length, 1);
  assert.ok(!JSON.stringify(tokens).includes(adminToken), 'the token itself is stored');
});

test('nothing in the data directory is readable by others, also after a restart and where it was opened', async () => {
  await using resources = new Resources();
  const umask = process.umask(0);
  resources.defer('restore the umask', () => {
    process.umask(umask);
  });
  const server = await startTestServer(resources);
  const { dataDir } = server;
  const modes = (): string[] =>
    ['.', ...readdirSync(dataDir)].map((name) => `${name} ${(statSync(join(dataDir, name)).mode & 0o777).toString(8)}`);
  const expected = [
    '. 700',
    ...['ca.crt', 'ca.key', 'jwe.key', 'secrets.key', 'server.db', 'server.db-shm', 'server.db-wal', 'server.lock'],
    ...['tls.crt', 'tls.key'],
  ].map((name) => (name.includes(' ') ? name : `${name} 600`));
  assert.deepEqual(modes(), expected);
  await server.close();
  chmodSync(dataDir, 0o755);
  await startTestServer(resources, { settings: { dataDir } });
  assert.deepEqual(modes(), expected);
});

test('one data directory is one server, until it ends in whichever way', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const { dataDir } = server;
  const message = /another durantic server runs with the data directory/;
  await assert.rejects(startTestServer(resources, { settings: { dataDir } }), hasCode('data_dir_in_use', message));
  assert.equal((await server.api('GET', '/healthz')).status, 200);
  await server.close();
  const other = await startServerProcess(resources, { dataDir });
  await assert.rejects(startTestServer(resources, { settings: { dataDir } }), hasCode('data_dir_in_use', message));
  await other.kill('SIGKILL');
  await startTestServer(resources, { settings: { dataDir } });
});

for (const name of ['secretsKey', 'bootstrapKeys', 'caKey'] as const) {
  test(`a key that is missing beside data is not made anew: ${name}`, async () => {
    await using resources = new Resources();
    const server = await startTestServer(resources);
    const { dataDir } = server;
    await server.close();
    const file = dataFiles(dataDir)[name];
    renameSync(file, `${file}.away`);
    const start = async () => await startTestServer(resources, { settings: { dataDir } });
    await assert.rejects(start(), hasCode('server_key_missing', new RegExp(file)));
    await assert.rejects(start(), hasCode('server_key_missing', new RegExp(file)), 'the first failure made the key');
    writeFileSync(file, 'damaged');
    await assert.rejects(start(), hasCode('server_key_invalid', new RegExp(file)));
    renameSync(`${file}.away`, file);
    assert.equal((await start()).pin, server.pin);
  });
}

test('a start that was cut off before there were data begins anew', async () => {
  await using resources = new Resources();
  const first = await startTestServer(resources);
  const { dataDir } = first;
  await first.close();
  const files = dataFiles(dataDir);
  rmSync(files.database);
  rmSync(files.caCertificate);
  rmSync(files.bootstrapKeys);
  writeFileSync(`${files.caCertificate}.tmp`, 'half of it', { mode: 0o666 });
  const second = await startTestServer(resources, { settings: { dataDir } });
  assert.match(second.adminToken, /^dur_/);
  assert.equal(second.pin, first.pin);
});

test('a data directory that is a file or a link, and a port that is taken, are refused; nothing stays open', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  writeFileSync(join(dir, 'file'), '');
  const start = async (dataDir: string, port = 0) =>
    await startTestServer(resources, { settings: { dataDir, listen: { host: '127.0.0.1', port } } });
  await assert.rejects(start(join(dir, 'file')), hasCode('data_dir_unusable', /file cannot be made or opened/));
  await assert.rejects(start(join(dir, 'file', 'x')), hasCode('data_dir_unusable', /cannot be made or opened/));
  const server = await start(join(dir, 'data'));
  const other = join(dir, 'other');
  await assert.rejects(start(other, server.port), hasCode('listen_failed', /another program listens there$/));
  assert.match((await start(other)).url, /^https/, 'the folder was not let go');
  mkdirSync(join(dir, 'damaged'));
  writeFileSync(dataFiles(join(dir, 'damaged')).secretsKey, Buffer.alloc(31));
  await assert.rejects(start(join(dir, 'damaged')), hasCode('server_key_invalid', /not a key of 32 bytes/));
});
