import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import type { Route } from '../../../../installer/network/network.ts';
import { type ServerProbeOptions, serverProbe } from '../../../../installer/network/probe-server.ts';
import { type KeyCertificates, makeKeyCertificates } from '../../../builders/key-certificates.ts';
import { startTestServer } from '../../../builders/server.ts';
import { listenOnLoopback } from '../../../fakes/listen-on-loopback.ts';
import { ScriptedServer } from '../../../fakes/scripted-server.ts';
import { Resources } from '../../../resources.ts';

/** Another address of the loopback than the one that connections come from by themselves. */
const route: Route = {
  name: 'lo',
  localAddress4: '127.0.0.9',
  localAddress6: null,
  nameservers: [],
  searchDomains: [],
  gateways: ['192.0.2.1'],
};

interface Scene {
  readonly server: ScriptedServer;
  readonly tls: KeyCertificates;
  /** Whence the requests came. */
  readonly from: (string | undefined)[];
}

async function start(resources: Resources, status = 200): Promise<Scene> {
  const tls = await makeKeyCertificates(resources);
  const from: (string | undefined)[] = [];
  const server = await ScriptedServer.start(resources, {
    tls,
    routes: {
      'GET /api/agent/ca': (_body, request) => {
        from.push(request.socket.remoteAddress);
        return { status, body: { certificate: tls.ca, server_time: new Date().toISOString(), detail: 'none' } };
      },
    },
  });
  return { server, tls, from };
}

async function probe(server: string, options: Partial<ServerProbeOptions> = {}, by: Route = route): Promise<void> {
  const { pin = null, proxy = null, setClock = null, ...rest } = options;
  await serverProbe({ server: new URL(server), pin, proxy, setClock, timeoutMs: 1000, ...rest })(
    by,
    AbortSignal.timeout(10_000),
  );
}

test('the real server is reached from the link’s own address, verified by its pin or its CA', async () => {
  await using resources = new Resources();
  const real = await startTestServer(resources);
  await probe(real.url, { pin: real.pin });
  await probe(real.url, { ca: real.caCertificate });
  await assert.rejects(probe(real.url), { code: 'server_untrusted' });
  const { server, tls, from } = await start(resources);
  await probe(server.origin, { pin: tls.pin });
  assert.deepEqual(new Set(from), new Set(['127.0.0.9']));
});

test('a server with a given certificate, which has no CA to give, is reached all the same', async () => {
  await using resources = new Resources();
  const { server, tls } = await start(resources, 404);
  await probe(server.origin, { ca: tls.ca });
  const other = await start(resources, 503);
  await assert.rejects(probe(other.server.origin, { ca: other.tls.ca }), { code: 'server_error' });
});

test('F11 F12 another pin, another CA, a clock that cannot be right: each in its own words', async () => {
  await using resources = new Resources();
  const { server, tls } = await start(resources);
  await assert.rejects(probe(server.origin, { pin: `sha256:${'ab'.repeat(32)}` }), { code: 'server_pin_mismatch' });
  const other = await makeKeyCertificates(resources);
  await assert.rejects(probe(server.origin, { ca: other.ca }), { code: 'server_untrusted' });
  await assert.rejects(probe(server.origin, { pin: tls.pin, now: () => 0 }), { code: 'clock_wrong', message: /1970/ });
  const set: Date[] = [];
  let told = '';
  await probe(server.origin, {
    pin: tls.pin,
    now: () => 0,
    setClock: async (time) => void set.push(time),
    onClockSet: (from) => (told = from.toISOString()),
  });
  assert.ok(Math.abs((set[0]?.getTime() ?? 0) - Date.now()) < 10_000);
  assert.equal(told, '1970-01-01T00:00:00.000Z');
});

test('who refuses, is silent, has no address of the link’s kind or no name is told apart', async () => {
  await using resources = new Resources();
  const unreachable = { code: 'server_unreachable' };
  await assert.rejects(probe('https://127.0.0.1:1'), {
    ...unreachable,
    message: 'the server 127.0.0.1:1 refuses the connection: nothing listens on that port',
  });
  const silent = createTcpServer((socket) => void socket.on('error', () => undefined).unref());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  resources.defer('close the silent one', () => void silent.close());
  const address = silent.address();
  const port = typeof address === 'object' ? address?.port : 0;
  await assert.rejects(probe(`https://127.0.0.1:${port}`), {
    ...unreachable,
    message: `the server 127.0.0.1:${port} did not answer in 1 s by this link`,
  });
  const closing = createTcpServer((socket) => void socket.on('error', () => undefined).destroy());
  await new Promise<void>((resolve) => closing.listen(0, '127.0.0.1', resolve));
  resources.defer('close the closing one', () => void closing.close());
  const closingAddress = closing.address();
  const closingPort = typeof closingAddress === 'object' ? closingAddress?.port : 0;
  await assert.rejects(probe(`https://127.0.0.1:${closingPort}`), {
    ...unreachable,
    message: `the server 127.0.0.1:${closingPort} closes the connection before it has answered`,
  });
  await assert.rejects(probe('https://[2001:db8::1]:8443'), {
    ...unreachable,
    message: '2001:db8::1 is an IPv6 address, and this link has none of that kind',
  });
  await assert.rejects(probe('https://server.test'), {
    ...unreachable,
    message: 'no name server is known that could translate the name server.test',
  });
  await assert.rejects(probe('https://127.0.0.1:1', {}, { ...route, localAddress4: '192.0.2.7' }), {
    ...unreachable,
    message: 'has 192.0.2.7 but no route to the server 127.0.0.1:1',
  });
});

test('F12 with a proxy the link that reaches the proxy counts, and it is asked from the link’s address', async () => {
  await using resources = new Resources();
  const { server, tls } = await start(resources);
  const seen: string[] = [];
  const http = createServer();
  http.on('connect', (request: IncomingMessage, socket: Duplex) => {
    seen.push(`${request.socket.remoteAddress} ${request.url}`);
    const upstream = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.pipe(socket).pipe(upstream);
    });
    for (const end of [socket, upstream]) {
      end.on('error', () => undefined);
      resources.defer('end a tunnel', () => void end.destroy());
    }
  });
  const proxy = await listenOnLoopback(resources, http);
  // The name need not be known to the link: the proxy translates it.
  const { port } = new URL(server.origin);
  await probe(`https://localhost:${port}`, { pin: tls.pin, proxy: new URL(proxy.origin) });
  assert.deepEqual(new Set(seen), new Set([`127.0.0.9 localhost:${port}`]));
  await assert.rejects(probe(server.origin, { pin: tls.pin, proxy: new URL('http://127.0.0.1:1') }), {
    code: 'server_unreachable',
    message: 'the proxy 127.0.0.1:1 refuses the connection: nothing listens on that port',
  });
});

test('a probe that is given up ends at once and says so', async () => {
  await using resources = new Resources();
  const silent = createTcpServer((socket) => void socket.on('error', () => undefined).unref());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  resources.defer('close the silent one', () => void silent.close());
  const address = silent.address();
  const server = new URL(`https://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`);
  const ending = new AbortController();
  const running = serverProbe({ server, pin: null, proxy: null, setClock: null })(route, ending.signal);
  ending.abort();
  await assert.rejects(running, { code: 'aborted' });
});
