import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readAgentConfig } from '../../../agent/config/read-agent-config.ts';
import { collectFacts } from '../../../agent/hardware/collect-facts.ts';
import { type EnrollEvent, type EnrollMachineOptions, enrollMachine } from '../../../agent/identity/enroll-machine.ts';
import { makeKeyPair } from '../../../agent/identity/make-identity.ts';
import { readIdentity } from '../../../agent/identity/read-identity.ts';
import { type ApprovalEvent, requestApproval } from '../../../agent/identity/request-approval.ts';
import { ServerEndpoint } from '../../../agent/link/server-endpoint.ts';
import { startAgent } from '../../builders/agent-fixture.ts';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import { FakeClock } from '../../builders/server-context.ts';
import { ScriptedServer } from '../../fakes/scripted-server.ts';
import { Resources, waitFor } from '../../resources.ts';

async function makeToken(server: TestServer): Promise<string> {
  const { status, body } = await server.api<{ token: string }>('POST', '/api/provisioning/bootstrap-tokens/', {});
  assert.equal(status, 201);
  return body.token;
}

function optionsFor(resources: Resources, overrides: Partial<EnrollMachineOptions> & { server: string }) {
  const dir = resources.tempDir();
  const events: EnrollEvent[] = [];
  return {
    plainHttp: false,
    token: null,
    configFile: join(dir, 'etc/agent.yaml'),
    identityFile: join(dir, 'state/identity.json'),
    force: false,
    setClock: null,
    onEvent: (event: EnrollEvent) => void events.push(event),
    signal: AbortSignal.timeout(20_000),
    attempts: 1,
    events,
    ...overrides,
  };
}

test('a machine enrols by token, connects with what was written, and the server has its inventory', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const options = optionsFor(resources, { server: server.url, pin: server.pin, token: await makeToken(server) });
  const uuid = await enrollMachine(options);
  const identity = readIdentity(options.identityFile);
  const config = readAgentConfig(options.configFile);
  assert.equal(identity?.machine_uuid, uuid);
  assert.deepEqual(config, { server: server.url, pin: server.pin });
  for (const file of [options.configFile, options.identityFile]) assert.equal(statSync(file).mode & 0o777, 0o600, file);
  assert.ok(!existsSync(join(options.identityFile, '../enrolling-key.json')));
  if (identity === null || config === null) return assert.fail('nothing was written');
  const agent = await startAgent(resources, { config, identity });
  await agent.event('connected');
  await agent.event('settings');
  const machine = await waitFor('the inventory', async () => {
    const { body } = await server.api('GET', `/api/provisioning/machines/${uuid}`);
    return body['inventory'] === null ? undefined : body;
  });
  assert.equal(machine['uuid'], uuid);
});

test('enrolling again with the same key gives the same machine, keeps what an operator wrote, and needs no second file', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const options = optionsFor(resources, { server: server.url, pin: server.pin, token: await makeToken(server) });
  const first = await enrollMachine(options);
  const before = readFileSync(options.identityFile, 'utf8');
  writeFileSync(options.configFile, `${readFileSync(options.configFile, 'utf8')}# ours\nlabels:\n  rack: r1\n`);
  const { pin: _pin, ...withoutPin } = options;
  assert.equal(await enrollMachine({ ...withoutPin, token: await makeToken(server) }), first);
  assert.equal(readFileSync(options.identityFile, 'utf8'), before);
  const text = readFileSync(options.configFile, 'utf8');
  assert.match(text, /# ours\nlabels:\n {2}rack: r1\n/);
  assert.match(text, new RegExp(`pin: ${server.pin}`));
});

test('an enrolment that was cut off after the server took it goes on with the same key', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const options = optionsFor(resources, { server: server.url, pin: server.pin, token: await makeToken(server) });
  // The identity cannot be written, as on a disk that is full by then; the key was there before.
  mkdirSync(`${options.identityFile}.new`, { recursive: true });
  await assert.rejects(enrollMachine(options), { code: 'permission' });
  const keyFile = join(options.identityFile, '../enrolling-key.json');
  const { public_key: key } = JSON.parse(readFileSync(keyFile, 'utf8')) as { public_key: object };
  rmSync(`${options.identityFile}.new`, { recursive: true });
  const uuid = await enrollMachine(options);
  assert.deepEqual(readIdentity(options.identityFile)?.public_key, key);
  const { body } = await server.api<unknown[]>('GET', '/api/provisioning/machines/');
  assert.deepEqual(
    body.map((machine) => (machine as { uuid: string }).uuid),
    [uuid],
  );
});

test('another server is refused without --force, and takes neither pin nor CA of the first with it', async () => {
  await using resources = new Resources();
  const [first, second] = [await startTestServer(resources), await startTestServer(resources)];
  const options = optionsFor(resources, { server: first.url, pin: first.pin, token: await makeToken(first) });
  await enrollMachine(options);
  const other = { ...options, server: second.url, pin: second.pin, token: await makeToken(second) };
  await assert.rejects(enrollMachine(other), { code: 'already_enrolled', message: /--force/ });
  const { pin: _pin, ...withoutPin } = other;
  await assert.rejects(enrollMachine({ ...withoutPin, force: true }), { code: 'server_untrusted' });
  await enrollMachine({ ...other, force: true });
  assert.deepEqual(readAgentConfig(options.configFile), { server: second.url, pin: second.pin });
});

test('F27 a token that is refused or has expired is said so, and stands in no message', async () => {
  await using resources = new Resources();
  const clock = new FakeClock(Date.now());
  const server = await startTestServer(resources, { clock });
  const token = await makeToken(server);
  const options = optionsFor(resources, { server: server.url, pin: server.pin });
  const seen: Error[] = [];
  const refuse = async (given: string, code: string): Promise<void> => {
    await assert.rejects(enrollMachine({ ...options, token: given }), (error: Error & { code?: string }) => {
      seen.push(error);
      return error.code === code;
    });
  };
  await refuse(`${token.slice(0, -8)}AAAAAAAA`, 'token_refused');
  await refuse('nonsense', 'token_refused');
  clock.advance(11 * 60_000);
  await refuse(token, 'token_expired');
  const text = seen.map((error) => `${error.stack} ${JSON.stringify(error)}`).join('\n');
  assert.ok(!text.includes(token.slice(0, 24)) && !text.includes('nonsense'));
  assert.ok(!existsSync(options.configFile) && !existsSync(options.identityFile));
});

test('F27 a server that repeats the token in its answer does not bring it into the message', async () => {
  await using resources = new Resources();
  const token = 'secret-token-of-this-test-0123456789';
  const server = await ScriptedServer.start(resources, {
    routes: { 'POST /api/agent/enroll': () => ({ status: 401, body: { detail: `no such token ${token}` } }) },
  });
  const options = optionsFor(resources, { server: server.origin, plainHttp: true, token });
  await assert.rejects(enrollMachine(options), (error: Error & { code?: string }) => {
    return error.code === 'token_refused' && !`${error.stack}${JSON.stringify(error)}`.includes('secret-token');
  });
});

test('a server that limits is left alone for as long as it says', async () => {
  await using resources = new Resources();
  let calls = 0;
  const uuid = '11111111-2222-4333-8444-555555555555';
  const server = await ScriptedServer.start(resources, {
    routes: {
      'POST /api/agent/enroll': () => {
        calls += 1;
        if (calls === 1) return { status: 429, headers: { 'retry-after': '1' }, body: { detail: 'too many' } };
        return { status: 201, body: { machine_uuid: uuid, server_time: new Date().toISOString() } };
      },
    },
  });
  const options = optionsFor(resources, { server: server.origin, plainHttp: true, token: 'x', attempts: 2 });
  const before = performance.now();
  assert.equal(await enrollMachine(options), uuid);
  assert.ok(performance.now() - before >= 1000);
  assert.match(
    options.events.map((event) => (event.kind === 'retrying' ? event.error.code : '')).join(),
    /server_rate_limited/,
  );
});

test('an operator approves a machine by the code that it shows', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const options = optionsFor(resources, { server: server.url, pin: server.pin });
  const approving = enrollMachine(options);
  const shown = await waitFor('the code', () => options.events.find((event) => event.kind === 'code'));
  const { status } = await server.api('POST', '/api/provisioning/approvals/', { code: shown.code, action: 'approve' });
  assert.equal(status, 200);
  assert.equal(await approving, readIdentity(options.identityFile)?.machine_uuid);
});

test('a denied machine is told so', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const options = optionsFor(resources, { server: server.url, pin: server.pin });
  const approving = enrollMachine(options);
  approving.catch(() => undefined);
  const shown = await waitFor('the code', () => options.events.find((event) => event.kind === 'code'));
  await server.api('POST', '/api/provisioning/approvals/', { code: shown.code, action: 'deny' });
  await assert.rejects(approving, { code: 'approval_denied' });
});

test('an expired code is renewed by itself, and a server that goes away meanwhile is waited for', async () => {
  await using resources = new Resources();
  const answers: (() => { status: number; body?: object })[] = [];
  let made = 0;
  const uuid = '11111111-2222-4333-8444-555555555555';
  const expires_at = new Date().toISOString();
  const server = await ScriptedServer.start(resources, {
    routes: {
      'POST /api/agent/approvals': () => {
        made += 1;
        const code = ['A3C-DEF', 'H4J-KMN', 'P6Q-RTW'][made - 1];
        return { status: 201, body: { approval_id: 'a'.repeat(43), code, expires_at, poll_seconds: 1 } };
      },
      'GET /api/agent/approvals/:id': () => answers.shift()?.() ?? { status: 500 },
    },
  });
  answers.push(
    () => ({ status: 200, body: { status: 'pending', expires_at } }),
    () => ({ status: 200, body: { status: 'expired' } }),
    () => ({ status: 503 }),
    () => ({ status: 404, body: { detail: 'forgotten' } }),
    () => ({ status: 200, body: { status: 'approved', machine_uuid: uuid, server_time: expires_at } }),
  );
  const events: ApprovalEvent[] = [];
  await using endpoint = new ServerEndpoint({ config: { server: server.origin, plain_http: true }, setClock: null });
  const machineUuid = await requestApproval({
    endpoint,
    keys: makeKeyPair(),
    facts: await collectFacts('installer'),
    onEvent: (event) => void events.push(event),
    signal: AbortSignal.timeout(20_000),
    secondMs: 1,
  });
  assert.equal(machineUuid, uuid);
  assert.deepEqual(
    events.map((event) => (event.kind === 'code' ? `${event.code} ${event.isRenewal}` : event.kind)),
    ['A3C-DEF false', 'H4J-KMN true', 'unreachable', 'reachable', 'P6Q-RTW true', 'approved'],
  );
});
