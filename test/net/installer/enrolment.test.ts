import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startInstaller } from '../../builders/installer-fixture.ts';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import { Resources, waitFor } from '../../resources.ts';

async function makeToken(server: TestServer): Promise<string> {
  const { status, body } = await server.api<{ token: string }>('POST', '/api/provisioning/bootstrap-tokens/', {});
  assert.equal(status, 201);
  return body.token;
}

async function machineUuids(server: TestServer): Promise<string[]> {
  const { body } = await server.api<{ uuid: string }[]>('GET', '/api/provisioning/machines/');
  return body.map(({ uuid }) => uuid);
}

function lineFor(server: TestServer, more: string): string {
  return `durantic.server=${server.url} durantic.pin=${server.pin} ${more}`;
}

test('a machine with server, pin and token on its command line enrols, connects, and the server has its inventory', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const installer = await startInstaller(resources, {
    commandLine: lineFor(server, `durantic.token=${await makeToken(server)}`),
  });
  const { machineUuid } = await installer.event('enrolled');
  await installer.event('connected', ({ isConnected }) => isConnected);
  assert.deepEqual(await machineUuids(server), [machineUuid]);
  const machine = await waitFor('the inventory', async () => {
    const { body } = await server.api('GET', `/api/provisioning/machines/${machineUuid}`);
    return body['inventory'] === null ? undefined : body;
  });
  assert.equal(machine['uuid'], machineUuid);
  assert.deepEqual(
    installer.events.filter(({ kind }) => ['identity', 'enrolling', 'enrolled', 'trouble', 'question'].includes(kind)),
    [
      { kind: 'identity', origin: 'made', detail: null },
      { kind: 'enrolling', way: 'token' },
      { kind: 'enrolled', machineUuid },
    ],
  );
  await installer.stop();
});
