import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { decideNetworkBoot } from '../../../control-plane/enrolment/network-boot.ts';
import { closeCodes } from '../../../protocol/agent-frames.ts';
import type { MachineFacts } from '../../../protocol/machine-facts.ts';
import { factsOf } from '../../builders/enrolment.ts';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import { FakeClock } from '../../builders/server-context.ts';
import { connectTestAgent, makeTestIdentity, type TestAgent, type TestIdentity } from '../../builders/test-agent.ts';
import { Resources } from '../../resources.ts';

interface Machine {
  readonly uuid: string;
  readonly possible_duplicates: readonly string[];
}

async function makeToken(server: TestServer, lifetime = '10m'): Promise<string> {
  const { body } = await server.api<{ token: string }>('POST', '/api/provisioning/bootstrap-tokens/', { lifetime });
  return body.token;
}

function keyBody(identity: TestIdentity, facts: MachineFacts) {
  return { public_key: { kty: 'OKP', crv: 'Ed25519', x: identity.publicKey }, facts };
}

async function enrol(server: TestServer, token: string, facts: MachineFacts, identity = makeTestIdentity()) {
  const body = { token, ...keyBody(identity, facts) };
  const reply = await server.api<{ machine_uuid: string }>('POST', '/api/agent/enroll', body, { authorization: '' });
  return { status: reply.status, identity: { ...identity, machineUuid: reply.body.machine_uuid } };
}

async function connect(resources: Resources, server: TestServer, identity: TestIdentity): Promise<TestAgent> {
  const agent = await connectTestAgent({ url: server.url, ca: server.caCertificate, identity });
  resources.defer('close the agent', async () => void (await agent.close()));
  return agent;
}

test('F24 clones with live sockets are two machines, both marked; one of them adopted is one again', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const token = await makeToken(server);
  const first = await enrol(server, token, factsOf(1));
  const firstAgent = await connect(resources, server, first.identity);
  const second = await enrol(server, token, factsOf(1));
  const secondAgent = await connect(resources, server, second.identity);
  assert.equal(firstAgent.end, null, 'the first keeps its socket');
  const [one, two] = [first.identity.machineUuid, second.identity.machineUuid];
  const list = await server.api<Machine[]>('GET', '/api/provisioning/machines/');
  assert.deepEqual(
    list.body.map(({ uuid, possible_duplicates }) => [uuid, possible_duplicates]),
    [
      [one, [two]],
      [two, [one]],
    ],
  );
  const adopt = async () => await server.api('POST', `/api/provisioning/machines/${one}/adopt`, { from: two });
  assert.equal((await adopt()).status, 409, 'the first is there');
  firstAgent.cut();
  await firstAgent.closed;
  assert.equal((await adopt()).status, 200);
  assert.equal((await secondAgent.closed).code, closeCodes.unknown_machine);
  const again = await enrol(server, token, factsOf(1), second.identity);
  assert.deepEqual([again.status, again.identity.machineUuid], [200, one]);
  await connect(resources, server, again.identity);
});

test('power-cycled in discovery with a real socket: the same machine, and the old key is refused', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const token = await makeToken(server);
  const first = await enrol(server, token, factsOf(1));
  (await connect(resources, server, first.identity)).cut();
  const second = await enrol(server, token, factsOf(1));
  assert.equal(second.identity.machineUuid, first.identity.machineUuid);
  await connect(resources, server, second.identity);
  await assert.rejects(connect(resources, server, first.identity), /4401/);
});

test('the CA is given to everybody, with the time', async () => {
  await using resources = new Resources();
  const clock = new FakeClock();
  const server = await startTestServer(resources, { clock });
  const response = await server.fetch('/api/agent/ca');
  assert.deepEqual(await response.json(), {
    certificate: server.caCertificate,
    server_time: new Date(clock.now()).toISOString(),
  });
  const plain = await startTestServer(resources, { settings: { tls: { kind: 'none' } } });
  assert.equal((await plain.fetch('/api/agent/ca')).status, 404);
});

test('a restart takes back nothing: tokens, codes, what was used once, and limits', async () => {
  await using resources = new Resources();
  const settings = { dataDir: join(resources.tempDir(), 'data') };
  const before = await startTestServer(resources, { settings });
  const token = await makeToken(before, '1d');
  const known = await before.api<{ uuid: string }>('POST', '/api/provisioning/known-machines/', {
    mac: 'd0:94:66:00:00:01',
  });
  await before.api('POST', `/api/provisioning/machines/${known.body.uuid}/install-mark`, {});
  const boot = await decideNetworkBoot(before.services.enrolment, ['d0:94:66:00:00:01'], '192.0.2.1');
  const bootToken = boot.kind === 'installer' ? (boot.token?.token ?? '') : '';
  assert.equal((await enrol(before, bootToken, factsOf(1))).status, 201);
  const waiting = makeTestIdentity();
  const asked = await before.api<{ code: string; approval_id: string }>(
    'POST',
    '/api/agent/approvals',
    keyBody(waiting, factsOf(5)),
  );
  const used = await before.api<{ code: string }>(
    'POST',
    '/api/agent/approvals',
    keyBody(makeTestIdentity(), factsOf(6)),
  );
  await before.api('POST', '/api/provisioning/approvals/', { code: used.body.code });
  await before.close();

  const { adminToken } = before;
  const server = await startTestServer(resources, { settings, adminToken });
  assert.equal((await enrol(server, token, factsOf(2))).status, 201);
  assert.equal((await enrol(server, bootToken, factsOf(3))).status, 401, 'a single-use token stays used');
  const enter = async (code: string): Promise<number> =>
    (await server.api('POST', '/api/provisioning/approvals/', { code })).status;
  assert.equal(await enter(used.body.code), 404, 'a code stays used');
  assert.equal(await enter(asked.body.code), 200, 'a code that waits still waits');
  const status = await server.api('GET', `/api/agent/approvals/${asked.body.approval_id}`);
  assert.equal(status.body['status'], 'approved');
  const statuses: number[] = [];
  for (let index = 0; index < 12; index += 1) statuses.push(await enter('AAA-AAA'));
  assert.deepEqual(statuses.slice(-2), [429, 429], 'limits work after a restart');
});

test('only a bearer of an API token makes tokens, sees and decides approvals, adopts', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const uuid = '1b4e28ba-2fa1-41d2-883f-0016d3cca427';
  for (const [method, path] of [
    ['POST', '/api/provisioning/bootstrap-tokens/'],
    ['GET', '/api/provisioning/bootstrap-keys/'],
    ['POST', '/api/provisioning/bootstrap-keys/'],
    ['DELETE', '/api/provisioning/bootstrap-keys/x'],
    ['GET', '/api/provisioning/approvals/'],
    ['POST', '/api/provisioning/approvals/'],
    ['POST', '/api/provisioning/known-machines/'],
    ['POST', `/api/provisioning/machines/${uuid}/adopt`],
    ['POST', `/api/provisioning/machines/${uuid}/install-mark`],
    ['DELETE', `/api/provisioning/machines/${uuid}/install-mark`],
    ['GET', '/api/controlplane/account'],
    ['PATCH', '/api/controlplane/account'],
    ['GET', '/api/controlplane/api-tokens/'],
    ['POST', '/api/controlplane/api-tokens/'],
    ['DELETE', `/api/controlplane/api-tokens/${uuid}`],
  ] as const) {
    const response = await server.api(method, path, undefined, { authorization: 'Bearer dur_nothing' });
    assert.equal(response.status, 401, `${method} ${path}`);
  }
});
