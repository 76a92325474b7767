import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type StartedInstaller, startInstaller } from '../../builders/installer-fixture.ts';
import { startTestServer, type TestServer, type TestServerOptions } from '../../builders/server.ts';
import { FakeClock } from '../../builders/server-context.ts';
import { freePort, Resources } from '../../resources.ts';

async function makeToken(server: TestServer): Promise<string> {
  const { status, body } = await server.api<{ token: string }>('POST', '/api/provisioning/bootstrap-tokens/', {});
  assert.equal(status, 201);
  return body.token;
}

async function enterCode(server: TestServer, code: string, action: 'approve' | 'deny'): Promise<void> {
  const { status } = await server.api('POST', '/api/provisioning/approvals/', { code, action });
  assert.equal(status, 200);
}

/** The next code on the screen that is not one of these. */
async function shownCode(installer: StartedInstaller, ...old: string[]): Promise<string> {
  const isNew = (code: string | undefined): boolean => code !== undefined && !old.includes(code);
  const { approval } = await installer.event('approval', (event) => isNew(event.approval?.code));
  return approval?.code ?? '';
}

/** The trouble of this code was taken back, and the machine is one of the server's. */
async function recovered(installer: StartedInstaller): Promise<string> {
  const { machineUuid } = await installer.event('enrolled');
  await installer.event('connected', ({ isConnected }) => isConnected);
  const last = installer.events.findLast((event) => event.kind === 'trouble');
  assert.deepEqual(last, { kind: 'trouble', trouble: null });
  return machineUuid;
}

const onPort = (port: number): TestServerOptions => ({ settings: { listen: { host: '127.0.0.1', port } } });

test('a wrong token is said so, with an approval code beside it by which an operator lets the machine in', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const token = await makeToken(server);
  const wrong = `${token.slice(0, -8)}AAAAAAAA`;
  const commandLine = `durantic.server=${server.url} durantic.pin=${server.pin} durantic.token=${wrong}`;
  const installer = await startInstaller(resources, { commandLine });
  const trouble = await installer.trouble('token_refused');
  assert.match(trouble.what, /does not accept the token/);
  assert.match(trouble.todo, /code on this screen.*new token/);
  assert.ok(trouble.retryAtMs !== null);
  await enterCode(server, await shownCode(installer), 'approve');
  await recovered(installer);
  assert.ok(!JSON.stringify(installer.events).includes(wrong.slice(0, 20)), 'F27 the token is in no event');
});

test('an expired token is said so and tried again: when the server takes it after all, the code disappears', async () => {
  await using resources = new Resources();
  const clock = new FakeClock(Date.now());
  const server = await startTestServer(resources, { clock });
  const token = await makeToken(server);
  clock.advance(11 * 60_000);
  const commandLine = `durantic.server=${server.url} durantic.pin=${server.pin} durantic.token=${token}`;
  const installer = await startInstaller(resources, { commandLine });
  assert.match((await installer.trouble('token_expired')).what, /the token has expired/);
  await shownCode(installer);
  clock.advance(-11 * 60_000);
  await recovered(installer);
  assert.deepEqual(
    installer.events.findLast((event) => event.kind === 'approval'),
    { kind: 'approval', approval: null },
  );
});

test('a pin that is not the server’s is said so, and the machine enrols when the right server is there', async () => {
  await using resources = new Resources();
  const [right, wrong] = [await startTestServer(resources), await startTestServer(resources)];
  const token = await makeToken(right);
  const { dataDir, pin, adminToken } = right;
  await right.close();
  const commandLine = `durantic.server=${wrong.url} durantic.pin=${pin} durantic.token=${token}`;
  const installer = await startInstaller(resources, { commandLine });
  const trouble = await installer.trouble('server_pin_mismatch');
  assert.match(trouble.what, /has another key than the pin says/);
  assert.match(trouble.todo, /Compare the pin/);
  await wrong.close();
  const { settings } = onPort(wrong.port);
  const server = await startTestServer(resources, { settings: { ...settings, dataDir }, adminToken });
  assert.equal(server.pin, pin);
  await recovered(installer);
});

test('a server that is down is said so, and found when it is up', async () => {
  await using resources = new Resources();
  const port = await freePort();
  const first = await startTestServer(resources, onPort(port));
  const { dataDir, pin, adminToken, url } = first;
  const token = await makeToken(first);
  await first.close();
  const commandLine = `durantic.server=${url} durantic.pin=${pin} durantic.token=${token}`;
  const installer = await startInstaller(resources, { commandLine });
  const trouble = await installer.trouble('server_unreachable');
  assert.match(trouble.what, new RegExp(`the server 127.0.0.1:${port} cannot be reached`));
  assert.match(trouble.todo, /^Start the durantic server, or correct the port/);
  const failed = await installer.event('link', ({ link }) => link.stage === 'failed');
  assert.match(failed.link.detail ?? '', /refuses the connection/);
  await startTestServer(resources, { settings: { listen: { host: '127.0.0.1', port }, dataDir }, adminToken });
  await recovered(installer);
});

test('a machine that an operator denies says so, and asks again with another code', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const installer = await startInstaller(resources, {
    commandLine: `durantic.server=${server.url} durantic.pin=${server.pin}`,
  });
  const first = await shownCode(installer);
  await enterCode(server, first, 'deny');
  assert.match((await installer.trouble('approval_denied')).what, /an operator of .* refused this machine/);
  const second = await shownCode(installer, first);
  await enterCode(server, second, 'approve');
  const machineUuid = await recovered(installer);
  const { body } = await server.api<{ uuid: string }[]>('GET', '/api/provisioning/machines/');
  assert.deepEqual(
    body.map(({ uuid }) => uuid),
    [machineUuid],
  );
});

test('a server that goes away is lost on the screen and in the network, and found again as the same machine', async () => {
  await using resources = new Resources();
  const port = await freePort();
  const first = await startTestServer(resources, onPort(port));
  const { dataDir, pin, adminToken, url } = first;
  const commandLine = `durantic.server=${url} durantic.pin=${pin} durantic.token=${await makeToken(first)}`;
  const installer = await startInstaller(resources, { commandLine });
  await installer.event('connected', ({ isConnected }) => isConnected);
  const after = installer.events.length;
  await first.close();
  await installer.event('connected', ({ isConnected }) => !isConnected, { after });
  await installer.event('trouble', ({ trouble }) => trouble !== null, { after });
  assert.ok(installer.network().doubts > 0);
  await startTestServer(resources, { settings: { listen: { host: '127.0.0.1', port }, dataDir }, adminToken });
  await installer.event('connected', ({ isConnected }) => isConnected, { after });
  assert.equal(installer.events.filter(({ kind }) => kind === 'enrolled').length, 1);
  assert.deepEqual(
    installer.events.findLast((event) => event.kind === 'trouble'),
    { kind: 'trouble', trouble: null },
  );
});
