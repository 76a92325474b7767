import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { test } from 'node:test';
import { createApp } from '../../../control-plane/http/create-app.ts';
import { registerRoutes } from '../../../control-plane/http/register-routes.ts';
import { liveRoutes } from '../../../control-plane/live/live-routes.ts';
import type { AgentHub } from '../../../control-plane/services.ts';
import { type Logger, silentLogger } from '../../../core/base/logger.ts';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import { FakeClock, testContext } from '../../builders/server-context.ts';
import { connectTestAgent, insertTestMachine } from '../../builders/test-agent.ts';
import { Resources, waitFor } from '../../resources.ts';

interface Message {
  readonly event: string;
  readonly data: Record<string, unknown>;
}

class Stream {
  text = '';
  isEnded = false;

  messages(): Message[] {
    return this.text
      .split('\n\n')
      .slice(0, -1)
      .filter((block) => /^event: /m.test(block))
      .map((block) => ({
        event: /^event: (.*)$/m.exec(block)?.[1] ?? '',
        data: JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? 'null') as Record<string, unknown>,
      }));
  }

  /** The newest message of a kind about one object that meets a condition. */
  async heard(
    event: string,
    uuid: string,
    condition: (data: Message['data']) => boolean = () => true,
  ): Promise<Message['data']> {
    const found = await waitFor(`a message ${event}`, () =>
      this.messages().findLast(
        (message) => message.event === event && message.data['uuid'] === uuid && condition(message.data),
      ),
    );
    return found.data;
  }
}

async function watch(resources: Resources, server: TestServer): Promise<Stream> {
  const stream = new Stream();
  const response = await server.fetch('/api/events', { headers: { authorization: `Bearer ${server.adminToken}` } });
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  const reader = response.body?.getReader();
  assert.ok(reader !== undefined);
  const decoder = new TextDecoder();
  const reading = (async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      stream.text += decoder.decode(value, { stream: true });
    }
    stream.isEnded = true;
  })().catch(() => {
    stream.isEnded = true;
  });
  resources.defer('end the stream', async () => {
    await reader.cancel();
    await reading;
  });
  await waitFor('the stream to be ready', () => stream.messages().some(({ event }) => event === 'ready'));
  return stream;
}

test('the stream needs a token', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  assert.equal((await server.fetch('/api/events')).status, 401);
});

test('the stream tells changes of machines and runs as the API shows them', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const identity = insertTestMachine(server.context);
  const item = `/api/provisioning/machines/${identity.machineUuid}`;
  const stream = await watch(resources, server);
  assert.match(stream.text, /^retry: \d+$/m);
  await server.api('PATCH', item, { tunnel_type: 'geneve' });
  const told = await stream.heard('machine', identity.machineUuid, (data) => data['tunnel_type'] === 'geneve');
  assert.deepEqual(told, (await server.api('GET', item)).body);

  const { body: image } = await server.api('POST', '/api/provisioning/images/', {
    name: 'nowhere',
    docker_image_url: 'http://127.0.0.1:1/os/none:1',
  });
  await server.api('PATCH', '/api/controlplane/account', { default_image_uuid: image['uuid'] });
  const { body: queued } = await server.api('POST', `${item}/provision`, {});
  const runUuid = String(queued['provision_uuid']);
  const run = await stream.heard('provision', runUuid, (data) => /asking again/.test(String(data['current_message'])));
  assert.deepEqual(run, (await server.api('GET', `${item}/provisions/${runUuid}`)).body);
  assert.equal(
    (await stream.heard('machine', identity.machineUuid, (data) => data['provision_state'] === 'Install pending'))[
      'uuid'
    ],
    identity.machineUuid,
  );

  const agent = await connectTestAgent({ url: server.url, ca: server.caCertificate, identity });
  resources.defer('cut the agent', () => agent.cut());
  await stream.heard('machine', identity.machineUuid, (data) => data['is_online'] === true);
  await server.api('POST', `${item}/provision`, { mode: 'clear' });
  await stream.heard('provision', runUuid, (data) => data['status'] === 'canceled');
  assert.equal((await server.api('DELETE', item)).status, 204);
  assert.deepEqual(await stream.heard('machine_deleted', identity.machineUuid), { uuid: identity.machineUuid });
  assert.equal((await agent.closed).code, 4404);
});

test('the stream tells that a machine is asking to be let in', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const stream = await watch(resources, server);
  const key = { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) };
  const asked = await server.api<{ code: string }>('POST', '/api/agent/approvals', { public_key: key, facts: {} });
  assert.equal(asked.status, 201);
  const approval = await waitFor('the approval', () => stream.messages().find(({ event }) => event === 'approval'));
  assert.equal(approval.data['status'], 'pending');
  assert.ok(!stream.text.includes(asked.body.code), 'the code is on the machine’s screen only');
});

test('a machine that falls silent is told to be offline, though nothing was written', async () => {
  await using resources = new Resources();
  const clock = new FakeClock(Date.now());
  const server = await startTestServer(resources, { clock });
  const identity = insertTestMachine(server.context);
  const agent = await connectTestAgent({ url: server.url, ca: server.caCertificate, identity });
  resources.defer('cut the agent', () => agent.cut());
  const stream = await watch(resources, server);
  clock.advance(60_000);
  const told = await stream.heard('machine', identity.machineUuid, (data) => data['is_online'] === false);
  assert.equal(told['uuid'], identity.machineUuid);
});

test('many changes of one object within a moment are one message', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const { machineUuid } = insertTestMachine(server.context);
  const stream = await watch(resources, server);
  for (let count = 0; count < 500; count += 1) server.context.events.publish({ type: 'machine', uuid: machineUuid });
  await stream.heard('machine', machineUuid);
  server.context.events.publish({ type: 'machine_deleted', uuid: machineUuid });
  await stream.heard('machine_deleted', machineUuid);
  assert.equal(stream.messages().filter(({ event }) => event === 'machine').length, 1);
});

test('who does not read is cut off; the others go on', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const machines = Array.from({ length: 60 }, () => insertTestMachine(server.context).machineUuid);
  const nic = { name: 'x'.repeat(64), mac: '52:54:00:00:00:01' };
  const facts = JSON.stringify({ nics: Array.from({ length: 200 }, () => nic) });
  server.context.db.prepare('UPDATE machines SET facts = ?').run(facts);
  const reader = await watch(resources, server);
  const lazy = await openWithoutReading(resources, server);
  // More than the buffers of both sides can hold, TLS and kernel included.
  const enoughBytes = 24 * 1024 * 1024;
  await waitFor(
    'the reader to have it all',
    () => {
      for (const uuid of machines) server.context.events.publish({ type: 'machine', uuid });
      return reader.text.length > enoughBytes;
    },
    { timeoutMs: 60_000 },
  );
  let lazyBytes = 0;
  let isCutOff = false;
  lazy.once('close', () => {
    isCutOff = true;
  });
  lazy.on('data', (chunk: Buffer) => {
    lazyBytes += chunk.length;
  });
  lazy.resume();
  await waitFor('the lazy reader to be cut off', () => isCutOff);
  assert.ok(lazyBytes < enoughBytes, `${lazyBytes} bytes were kept for it`);
  assert.equal(reader.isEnded, false);
  server.context.events.publish({ type: 'machine_deleted', uuid: 'still-there' });
  await reader.heard('machine_deleted', 'still-there');
});

/** A watcher whose socket nobody reads, once the head of the answer is there. */
async function openWithoutReading(resources: Resources, server: TestServer): Promise<IncomingMessage> {
  const headers = { authorization: `Bearer ${server.adminToken}` };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = request(`${server.url}/api/events`, { ca: server.caCertificate, headers }, resolve);
    asked.once('error', reject);
    asked.end();
    resources.defer('end the lazy reader', () => void asked.destroy());
  });
  response.on('error', () => undefined);
  response.pause();
  response.socket.pause();
  return response;
}

test('comments keep the connection alive', async () => {
  await using resources = new Resources();
  const context = testContext(resources);
  const hub: Pick<AgentHub, 'lastSeenAt'> = { lastSeenAt: () => null };
  const log: Logger = silentLogger;
  const app = createApp({ log });
  resources.defer('close the application', () => app.close());
  registerRoutes(app, liveRoutes(context, { hub: hub as AgentHub }, { heartbeatMs: 10 }), {
    authenticate: () => context.accountUuid,
    publicAccountUuid: context.accountUuid,
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const end = new AbortController();
  const response = await fetch(`${url}/api/events/`, { signal: end.signal });
  const reader = response.body?.getReader();
  let text = '';
  while (!text.includes('\n: still here\n\n: still here\n\n')) {
    const part = await reader?.read();
    assert.equal(part?.done, false);
    text += new TextDecoder().decode(part?.value);
  }
  end.abort();
});
