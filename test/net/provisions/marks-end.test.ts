import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { ServerContext } from '../../../control-plane/context.ts';
import { startInstallingRun, startQueuedRun } from '../../builders/installing-run.ts';
import { startTestServer } from '../../builders/server.ts';
import { insertTestMachine } from '../../builders/test-agent.ts';
import { Resources } from '../../resources.ts';

/** The only machine is marked by its run, and by its operator, and its iPXE script was fetched. */
function fetchToken({ db, clock }: ServerContext): void {
  const later = new Date(clock.now() + 900_000).toISOString();
  db.prepare('UPDATE machines SET install_until = ?1, operator_mark_until = ?1').run(later);
  db.prepare('INSERT INTO boot_tokens (jti, machine_uuid, expires_at) SELECT ?, uuid, ? FROM machines').run(
    randomUUID(),
    later,
  );
}

function marksOf({ db }: ServerContext): unknown[] {
  const marks = db.prepare('SELECT install_until, operator_mark_until FROM machines').get();
  const tokens = db.prepare('SELECT count(*) AS n FROM boot_tokens').get();
  return [marks?.['install_until'], marks?.['operator_mark_until'], tokens?.['n']];
}

const nothing = [null, null, 0];

test('a run that is canceled before it began takes the single-use token with it', async () => {
  await using resources = new Resources();
  const started = await startQueuedRun(resources);
  fetchToken(started.server.context);
  started.server.service.cancel(started.machine.uuid, started.uuid);
  assert.deepEqual(marksOf(started.server.context), nothing);
});

test('so does a run that is cleared', async () => {
  await using resources = new Resources();
  const started = await startQueuedRun(resources);
  fetchToken(started.server.context);
  started.server.service.clear(started.machine.uuid);
  assert.deepEqual(marksOf(started.server.context), nothing);
  fetchToken(started.server.context);
  started.server.service.clear(started.machine.uuid);
  assert.deepEqual(marksOf(started.server.context), nothing, 'with nothing queued, too');
});

test('so does a machine that leaves for its installed system', async () => {
  await using resources = new Resources();
  const started = await startInstallingRun(resources);
  fetchToken(started.server.context);
  await started.machine.install(started.uuid);
  assert.deepEqual(marksOf(started.server.context), nothing);
});

test('so does a run that fails', async () => {
  await using resources = new Resources();
  const started = await startInstallingRun(resources);
  fetchToken(started.server.context);
  await started.machine.result(started.uuid, 'failed');
  assert.deepEqual(marksOf(started.server.context), nothing);
});

test('so does the command to boot the installed system', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const { machineUuid } = insertTestMachine(server.context);
  fetchToken(server.context);
  const body = { kind: 'BootInstalledSystem' };
  const { status } = await server.api('POST', `/api/provisioning/machines/${machineUuid}/commands/`, body);
  assert.equal(status, 201);
  assert.deepEqual(marksOf(server.context), nothing);
});
