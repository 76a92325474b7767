import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { dialServer } from '../../../agent/link/dial.ts';
import { newIdentity, startAgent } from '../../builders/agent-fixture.ts';
import { makeKeyCertificates } from '../../builders/key-certificates.ts';
import { listenOnLoopback } from '../../fakes/listen-on-loopback.ts';
import { ScriptedServer } from '../../fakes/scripted-server.ts';
import { Resources } from '../../resources.ts';

/** A proxy that speaks CONNECT, asks for a password, and notes what goes through. */
async function startProxy(resources: Resources): Promise<{ url: string; tunnels: string[] }> {
  const tunnels: string[] = [];
  const server = createServer((_request, response) => response.writeHead(400).end());
  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    resources.defer('end a tunnel', () => void socket.destroy());
    socket.on('error', () => undefined);
    const expected = `Basic ${Buffer.from('agent:s3cret pass').toString('base64')}`;
    if (request.headers['proxy-authorization'] !== expected) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    tunnels.push(request.url ?? '');
    const [host = '', port = ''] = (request.url ?? '').split(':');
    const upstream = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(socket).pipe(upstream);
    });
    resources.defer('end the other side of a tunnel', () => void upstream.destroy());
    upstream.on('error', () => socket.destroy());
  });
  const { host } = await listenOnLoopback(resources, server);
  return { url: `http://agent:s3cret%20pass@${host}`, tunnels };
}

test('F12 pin, requests and socket go through the proxy, except to whom no_proxy names', async () => {
  await using resources = new Resources();
  const tls = await makeKeyCertificates(resources);
  const answer = { certificate: tls.ca, server_time: new Date().toISOString() };
  const server = await ScriptedServer.start(resources, {
    tls,
    routes: { 'GET /api/agent/ca': () => ({ status: 200, body: answer }) },
  });
  const proxy = await startProxy(resources);
  const identity = newIdentity();
  server.knows(identity.machine_uuid, identity.public_key.x);
  const config = { server: server.origin, pin: tls.pin, proxy: proxy.url };
  const agent = await startAgent(resources, { config, identity });
  await agent.event('connected');
  const target = new URL(server.origin).host;
  assert.deepEqual(proxy.tunnels, [target, target]);
  await agent.stop();
  const direct = await startAgent(resources, { config: { ...config, no_proxy: ['127.0.0.0/8'] }, identity });
  await direct.event('connected');
  assert.equal(proxy.tunnels.length, 2);
});

test('F27 a proxy that refuses or is not there is named without its password', async () => {
  await using resources = new Resources();
  const proxy = await startProxy(resources);
  const wrong = proxy.url.replace('s3cret', 'wr0ng');
  for (const [url, why] of [
    [wrong, /the proxy 127\.0\.0\.1:\d+ refuses the connection to 127\.0\.0\.1:1 \(407\)/],
    ['http://agent:s3cret@127.0.0.1:1', /the proxy 127\.0\.0\.1:1 cannot be reached/],
  ] as const) {
    const config = { server: 'https://127.0.0.1:1', ca: (await makeKeyCertificates(resources)).ca, proxy: url };
    const agent = await startAgent(resources, { config });
    const event = await agent.event('disconnected');
    assert.equal(event.code, 'server_unreachable');
    assert.match(event.message, why);
    assert.doesNotMatch(JSON.stringify(agent.events), /s3cret|wr0ng/);
    await agent.stop();
  }
});

test('a tunnel outlives the time limit of its making', async () => {
  await using resources = new Resources();
  const server = await ScriptedServer.start(resources);
  const proxy = await startProxy(resources);
  const signal = new AbortController().signal;
  const limit = AbortSignal.timeout(300);
  const dial = { server: new URL(server.origin), trust: { kind: 'none' }, proxy: new URL(proxy.url), signal } as const;
  const socket = await dialServer({ ...dial, timeoutMs: 250 });
  resources.defer('end the connection', () => void socket.destroy());
  await once(limit, 'abort');
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.match(answer.toString('latin1'), /^HTTP\/1\.1 404/);
});
