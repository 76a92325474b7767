import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ClientRequest } from 'node:http';
import { request } from 'node:https';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { WebSocket } from 'ws';
import { startServerProcess } from '../../builders/server.ts';
import type { ServerProcess } from '../../builders/server-process.ts';
import { Resources, waitFor } from '../../resources.ts';

test('SIGTERM: a running request is finished, agents are told, streams end, the process ends with 0 in time', async () => {
  await using resources = new Resources();
  const server = await startServerProcess(resources);
  const ca = server.caCertificate;
  // A request whose body is still on its way.
  const body = JSON.stringify({ name: 'late' });
  const slow = request(`${server.url}/api/provisioning/images/`, {
    method: 'POST',
    ca,
    headers: {
      authorization: `Bearer ${server.adminToken}`,
      'content-type': 'application/json',
      'content-length': body.length,
    },
  });
  slow.write(body.slice(0, 5));
  const agent = new WebSocket(`${server.url.replace('https', 'wss')}/api/agent/connect`, { ca });
  await once(agent, 'message');
  const events = await server.fetch('/api/events', { headers: { authorization: `Bearer ${server.adminToken}` } });
  const eventsText = events.text();

  const startedMs = performance.now();
  const goodbye = once(agent, 'close', { signal: AbortSignal.timeout(10_000) });
  const ended = server.kill('SIGTERM');
  const [code] = (await goodbye) as [number];
  assert.equal(code, 1001);
  assert.match(await eventsText, /event: ready/);
  await waitFor('the socket to be closed', async () => await refusesConnections(server.port));
  slow.end(body.slice(5));
  const [response] = (await once(slow, 'response')) as [{ statusCode: number; headers: Record<string, string> }];
  assert.equal(response.statusCode, 422, 'the request was answered by its handler');
  assert.equal(response.headers['connection'], 'close');
  assert.deepEqual(await ended, { code: 0, signal: null });
  assert.ok(performance.now() - startedMs < 5000);
  assert.match(server.output().stderr, /the server has stopped/);
});

test('SIGTERM: a request that never ends does not hold the process for more than 5 s', async () => {
  await using resources = new Resources();
  const server = await startServerProcess(resources);
  const slow = await beginRequest(server);
  const cut = once(slow, 'error', { signal: AbortSignal.timeout(10_000) });
  const startedMs = performance.now();
  assert.deepEqual(await server.kill('SIGTERM'), { code: 0, signal: null });
  await cut;
  const tookMs = performance.now() - startedMs;
  assert.ok(tookMs > 2000 && tookMs < 5000, `${tookMs} ms`);
});

test('an idle server ends at once, with SIGINT too; a second signal does not wait', async () => {
  await using resources = new Resources();
  const server = await startServerProcess(resources);
  await server.api('GET', '/healthz');
  const startedMs = performance.now();
  assert.deepEqual(await server.kill('SIGINT'), { code: 0, signal: null });
  assert.ok(performance.now() - startedMs < 2000);

  await server.start();
  const slow = await beginRequest(server);
  slow.on('error', () => undefined);
  const first = server.kill('SIGTERM');
  await waitFor('the server to be stopping', () => /the server is stopping/.test(server.output().stderr));
  const againMs = performance.now();
  process.kill(server.pid, 'SIGTERM');
  assert.deepEqual(await first, { code: null, signal: 'SIGTERM' });
  assert.ok(performance.now() - againMs < 1000);
});

/** A request that has begun and whose body does not end. */
async function beginRequest(server: ServerProcess): Promise<ClientRequest> {
  const slow = request(`${server.url}/api/provisioning/images/`, {
    method: 'POST',
    ca: server.caCertificate,
    headers: {
      authorization: `Bearer ${server.adminToken}`,
      'content-type': 'application/json',
      'content-length': 10,
      expect: '100-continue',
    },
  });
  slow.flushHeaders();
  await once(slow, 'continue');
  slow.write('{');
  return slow;
}

async function refusesConnections(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', () => resolve(true));
  });
}
