import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { pack } from 'tar-stream';
import { restoreBackup } from '../../../control-plane/server/backup/restore-backup.ts';
import { writeBackup } from '../../../control-plane/server/backup/write-backup.ts';
import { dataFiles } from '../../../control-plane/server/data-files.ts';
import { ProvisionError } from '../../../core/base/errors.ts';
import { durantic } from '../../builders/durantic.ts';
import { RestWriter } from '../../builders/rest-writer.ts';
import { seededRandom } from '../../builders/seeded-random.ts';
import { startServerProcess, startTestServer } from '../../builders/server.ts';
import { Resources, waitFor } from '../../resources.ts';

const machineUuid = 'a1b2c3d4-0000-4000-8000-000000000000';

const hasCode = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ProvisionError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, message);
  return true;
};

test('a backup that is written while others write is a whole server: same pin, machines, readable secrets', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const { db, accountUuid } = server.context;
  const now = new Date().toISOString();
  db.prepare(
    "INSERT INTO machines (uuid, account_uuid, hostname, facts, created_at, updated_at) VALUES (?, ?, 'node1', '{}', ?, ?)",
  ).run(machineUuid, accountUuid, now, now);
  const before = await server.api('POST', '/api/controlplane/secrets/', { name: 'before', value: 'known' });
  assert.equal(before.status, 201);
  const random = seededRandom(1);
  const writers = [0, 1, 2, 3].map((number) => new RestWriter(server, random, number));
  const writing = writers.map((writer) => writer.writeUntilCut());
  const written = (): number => writers.reduce((sum, { answered }) => sum + answered, 0);
  await waitFor('writes', () => written() > 50);

  const file = join(resources.tempDir(), 'backup.tar');
  const before1 = written();
  await writeBackup({ dataDir: server.dataDir, file });
  await waitFor('writes beside and after the backup', () => written() > before1 + 10);
  await server.close();
  await Promise.all(writing);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(dirname(file)), ['backup.tar'], 'something was left beside it');

  const dataDir = join(resources.tempDir(), 'deeper', 'data');
  await restoreBackup({ file, dataDir });
  assert.equal(statSync(dataDir).mode & 0o777, 0o700);
  for (const name of readdirSync(dataDir)) assert.equal(statSync(join(dataDir, name)).mode & 0o777, 0o600, name);
  const { adminToken } = server;
  const restored = await startTestServer(resources, { settings: { dataDir }, adminToken });
  assert.deepEqual([restored.pin, restored.leafPin], [server.pin, server.leafPin]);
  const machines = await restored.api<{ uuid: string; hostname: string }[]>('GET', '/api/provisioning/machines/');
  assert.deepEqual(
    machines.body.map(({ uuid, hostname }) => [uuid, hostname]),
    [[machineUuid, 'node1']],
  );
  const { db: restoredDb, sealer } = restored.context;
  const rows = restoredDb.prepare('SELECT uuid, name, value_sealed FROM secrets').all();
  const values = rows.map(({ uuid, value_sealed: sealed }) => {
    assert.ok(sealed instanceof Uint8Array);
    return sealer.open(sealed, `secrets/${uuid}/value`);
  });
  assert.ok(values.includes('known') && rows.length === values.length);
  assert.ok((await restored.api<unknown[]>('GET', '/api/controlplane/variables/')).body.length > 0);
});

test('a backup replaces nothing, needs a server, and leaves nothing behind when it cannot be written', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const { dataDir } = server;
  const dir = resources.tempDir();
  const file = join(dir, 'backup.tar');
  writeFileSync(file, 'mine');
  await assert.rejects(writeBackup({ dataDir, file }), hasCode('backup_failed', /backup\.tar is there already/));
  assert.equal(readFileSync(file, 'utf8'), 'mine');
  const nowhere = join(dir, 'none', 'backup.tar');
  await assert.rejects(writeBackup({ dataDir, file: nowhere }), hasCode('backup_failed', /nothing can be written to/));
  const other = { dataDir: dir, file: join(dir, 'other.tar') };
  await assert.rejects(writeBackup(other), hasCode('data_dir_unusable', /no server has been started with/));
  assert.deepEqual(readdirSync(dir), ['backup.tar']);
});

test('a damaged database is not backed up as if it were whole', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const { dataDir } = server;
  for (let number = 0; number < 50; number += 1) {
    const body = { name: `v${number}`, value: 'MARKER'.repeat(50) };
    assert.equal((await server.api('POST', '/api/controlplane/variables/', body)).status, 201);
  }
  await server.close();
  const { database } = dataFiles(dataDir);
  const bytes = readFileSync(database);
  // A page of these rows loses its type; nothing that is read at the start is on it.
  const pageBytes = 4096;
  const page = Math.floor(bytes.lastIndexOf('MARKER') / pageBytes);
  assert.ok(page > 0);
  bytes[page * pageBytes] = 0xff;
  writeFileSync(database, bytes);
  const dir = resources.tempDir();
  const file = join(dir, 'backup.tar');
  await assert.rejects(writeBackup({ dataDir, file }), hasCode('backup_invalid', /server\.db is damaged/));
  assert.deepEqual(readdirSync(dir), []);
});

test('only a whole backup is restored, and only into an empty folder', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const dir = resources.tempDir();
  const at = (name: string): string => join(dir, name);
  const file = at('backup.tar');
  await writeBackup({ dataDir: server.dataDir, file });
  const whole = readFileSync(file);
  const restore = async (name: string) => await restoreBackup({ file: at(name), dataDir: at('data') });
  const damaged = (name: string, change: (bytes: Buffer) => void): string => {
    const bytes = Buffer.from(whole);
    change(bytes);
    writeFileSync(at(name), bytes);
    return name;
  };

  copyFileSync(file, at('cut.tar'));
  truncateSync(at('cut.tar'), 20_000);
  await assert.rejects(restore('cut.tar'), hasCode('backup_invalid', /./));
  await assert.rejects(
    restore(damaged('bit.tar', (bytes) => bytes.writeUInt8(bytes.readUInt8(30_000) ^ 1, 30_000))),
    hasCode('backup_invalid', /server\.db is damaged/),
  );
  writeFileSync(at('text.tar'), 'no tar at all');
  await assert.rejects(restore('text.tar'), hasCode('backup_invalid', /./));
  writeFileSync(at('empty.tar'), '');
  await assert.rejects(restore('empty.tar'), hasCode('backup_invalid', /it is empty/));
  await assert.rejects(restore('none.tar'), hasCode('backup_invalid', /none\.tar cannot be restored/));
  const hostile = pack();
  const manifest = { format: 1, version: '1', created_at: new Date().toISOString(), files: { '../x': '0'.repeat(64) } };
  hostile.entry({ name: 'durantic-backup.json' }, JSON.stringify(manifest));
  hostile.entry({ name: '../x' }, 'x');
  hostile.finalize();
  writeFileSync(at('hostile.tar'), Buffer.concat((await Array.fromAsync(hostile)) as Buffer[]));
  await assert.rejects(restore('hostile.tar'), hasCode('backup_invalid', /\.\.\/x does not belong into it/));
  assert.deepEqual(
    readdirSync(dir).filter((name) => !name.endsWith('.tar')),
    [],
    'a failed restore left something',
  );

  mkdirSync(at('data'));
  writeFileSync(join(at('data'), 'mine'), '');
  await assert.rejects(restore('backup.tar'), hasCode('data_dir_unusable', /is not empty/));
  assert.deepEqual(readdirSync(at('data')), ['mine']);
});

test('from the command line, while the server runs: backup, restore, start', async () => {
  await using resources = new Resources();
  const server = await startServerProcess(resources);
  const dir = resources.tempDir();
  const file = join(dir, 'backup.tar');
  const written = await durantic(['server', 'backup', file, '--data-dir', server.dataDir]);
  assert.match(written.stdout, /durantic server restore .*backup\.tar --data-dir NEW-DIR/);
  const again = await durantic(['server', 'backup', file, '--data-dir', server.dataDir]);
  assert.deepEqual([again.exitCode, /\[backup_failed\]/.test(again.stderr)], [3, true]);
  const dataDir = join(dir, 'data');
  const restored = await durantic(['server', 'restore', file, '--data-dir', dataDir]);
  assert.deepEqual([restored.exitCode, restored.stderr], [0, '']);
  const { adminToken } = server;
  const second = await startServerProcess(resources, { dataDir, adminToken });
  assert.equal(second.pin, server.pin);
  assert.equal((await second.api('GET', '/api/provisioning/machines/')).status, 200);
});
