import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import { connectTestAgent, insertTestMachine, type TestIdentity } from '../../builders/test-agent.ts';
import { Resources, waitFor } from '../../resources.ts';

interface Problem {
  readonly loc: readonly (string | number)[];
  readonly msg: string;
}

const pathOf = (identity: TestIdentity): string => `/api/provisioning/machines/${identity.machineUuid}/commands/`;

async function start(resources: Resources): Promise<{ server: TestServer; identity: TestIdentity }> {
  const server = await startTestServer(resources);
  return { server, identity: insertTestMachine(server.context) };
}

test('a command is given by REST, carried out by the agent over TLS, and its outcome read', async () => {
  await using resources = new Resources();
  const { server, identity } = await start(resources);
  const ca = server.caCertificate;
  const agent = await connectTestAgent({ url: server.url, ca, identity, onCommand: () => ['accepted', 'done'] });
  resources.defer('cut the agent', () => agent.cut());
  const created = await server.api('POST', pathOf(identity), { kind: 'BootInstalledSystem' });
  assert.equal(created.status, 201);
  assert.equal(created.body['status'], 'queued');
  assert.deepEqual(created.body['args'], { kexec: 'auto' });
  const item = `${pathOf(identity)}${created.body['uuid']}`;
  const done = await waitFor('the outcome', async () => {
    const { body } = await server.api('GET', item);
    return body['is_terminal'] === true ? body : undefined;
  });
  assert.equal(done['status'], 'done');
  assert.equal(done['machine_uuid'], identity.machineUuid);
  assert.equal(done['ignored_replies'], 0);
  assert.notEqual(done['finished_at'], null);
});

test('commands are listed in the order of giving, and missing arguments have their defaults', async () => {
  await using resources = new Resources();
  const { server, identity } = await start(resources);
  const update = { version: '1.2.3', url: 'https://server.test/agent.tar.gz', sha256: 'a'.repeat(64) };
  const bodies = [
    { kind: 'EnterInstaller', args: { kexec: 'never' } },
    { kind: 'Reboot', args: {} },
    { kind: 'PowerOff' },
    { kind: 'CollectLogs' },
    { kind: 'CollectLogs', args: { since: '2026-01-01T00:00:00Z' } },
    { kind: 'UpdateAgent', args: update },
  ];
  for (const body of bodies) assert.equal((await server.api('POST', pathOf(identity), body)).status, 201, body.kind);
  const { body: list } = await server.api<{ kind: string; args: unknown }[]>('GET', pathOf(identity).slice(0, -1));
  assert.deepEqual(
    list.map(({ kind, args }) => ({ kind, args })),
    [
      { kind: 'EnterInstaller', args: { kexec: 'never' } },
      { kind: 'Reboot', args: {} },
      { kind: 'PowerOff', args: {} },
      { kind: 'CollectLogs', args: { since: null } },
      { kind: 'CollectLogs', args: { since: '2026-01-01T00:00:00Z' } },
      { kind: 'UpdateAgent', args: update },
    ],
  );
});

test('kinds of runs name their endpoints, wrong kinds and arguments the field', async () => {
  await using resources = new Resources();
  const { server, identity } = await start(resources);
  const refusal = async (body: unknown): Promise<Problem | undefined> => {
    const reply = await server.api<{ detail: Problem[] }>('POST', pathOf(identity), body);
    assert.equal(reply.status, 422, JSON.stringify(reply.body));
    return reply.body.detail[0];
  };
  const machine = `/api/provisioning/machines/${identity.machineUuid}`;
  const provision = await refusal({ kind: 'ProvisionMachine', args: { provision_uuid: randomUUID() } });
  assert.ok(provision?.msg.includes(`POST ${machine}/provision `), String(provision?.msg));
  assert.deepEqual(provision?.loc, ['body', 'kind']);
  const cancel = await refusal({ kind: 'CancelProvision' });
  assert.ok(cancel?.msg.includes(`POST ${machine}/provisions/{provision_uuid}/cancel`), String(cancel?.msg));
  const unknown = await refusal({ kind: 'SelfDestruct' });
  assert.match(unknown?.msg ?? '', /one of ProvisionMachine, .*CollectLogs/);
  assert.deepEqual((await refusal({ kind: 'EnterInstaller', args: { kexec: 'maybe' } }))?.loc, [
    'body',
    'args',
    'kexec',
  ]);
  assert.deepEqual((await refusal({ kind: 'UpdateAgent' }))?.loc, ['body', 'args']);
  const args = { version: '1', url: 'file:///etc/passwd', sha256: 'a'.repeat(64) };
  assert.deepEqual((await refusal({ kind: 'UpdateAgent', args }))?.loc, ['body', 'args', 'url']);
  assert.equal((await server.api<unknown[]>('GET', pathOf(identity))).body.length, 0);
});

test('unknown machines and commands are 404, a machine without a key is 409, and so is the 101st open command', async () => {
  await using resources = new Resources();
  const { server, identity } = await start(resources);
  const stranger = `/api/provisioning/machines/${randomUUID()}`;
  for (const [method, path] of [
    ['POST', `${stranger}/commands/`],
    ['GET', `${stranger}/commands/`],
    ['GET', `${stranger}/commands/${randomUUID()}`],
    ['GET', `${stranger}/logs/`],
    ['GET', `${pathOf(identity)}${randomUUID()}`],
  ] as const) {
    const reply = await server.api(method, path, method === 'POST' ? { kind: 'Reboot' } : undefined);
    assert.equal(reply.status, 404, path);
  }
  const other = insertTestMachine(server.context);
  const { db } = server.context;
  db.exec(`INSERT INTO accounts (uuid, name, created_at) VALUES ('another', 'another', '2026-01-01T00:00:00Z')`);
  db.prepare(`UPDATE machines SET account_uuid = 'another' WHERE uuid = ?`).run(other.machineUuid);
  assert.equal((await server.api('POST', pathOf(other), { kind: 'Reboot' })).status, 404);
  const known = insertTestMachine(server.context);
  server.context.db.prepare('UPDATE machines SET public_key = NULL WHERE uuid = ?').run(known.machineUuid);
  assert.equal((await server.api('POST', pathOf(known), { kind: 'Reboot' })).status, 409);
  for (let index = 0; index < 100; index += 1) {
    assert.equal((await server.api('POST', pathOf(identity), { kind: 'Reboot' })).status, 201);
  }
  assert.equal((await server.api('POST', pathOf(identity), { kind: 'Reboot' })).status, 409);
  assert.equal((await server.api('POST', pathOf(identity), { kind: 'Reboot' }, { authorization: '' })).status, 401);
});

test('collected lines are read with the number of those that were dropped', async () => {
  await using resources = new Resources();
  const { server, identity } = await start(resources);
  const agent = await connectTestAgent({ url: server.url, ca: server.caCertificate, identity });
  resources.defer('cut the agent', () => agent.cut());
  const path = `/api/provisioning/machines/${identity.machineUuid}/logs/`;
  assert.deepEqual((await server.api('GET', path)).body, { dropped_lines: 0, entries: [] });
  const command_uuid = randomUUID();
  await agent.acknowledged(agent.sendNumbered({ type: 'log', command_uuid, lines: ['one', 'two'] }));
  const { body } = await server.api<{ entries: { command_uuid: string; lines: string[] }[] }>('GET', path);
  assert.equal(body.entries[0]?.command_uuid, command_uuid);
  assert.deepEqual(body.entries[0]?.lines, ['one', 'two']);
});

test('EnterInstaller marks the machine for its next network boot, BootInstalledSystem takes the mark back', async () => {
  await using resources = new Resources();
  const { server, identity } = await start(resources);
  const give = async (kind: string) => assert.equal((await server.api('POST', pathOf(identity), { kind })).status, 201);
  const markedUntil = (): unknown =>
    server.context.db.prepare('SELECT install_until FROM machines').get()?.['install_until'];
  await give('EnterInstaller');
  const untilMs = Date.parse(String(markedUntil()));
  assert.ok(untilMs > Date.now() + 20 * 60_000, `marked until ${markedUntil()}`);
  await give('Reboot');
  assert.equal(Date.parse(String(markedUntil())), untilMs);
  await give('BootInstalledSystem');
  assert.equal(markedUntil(), null);
});
