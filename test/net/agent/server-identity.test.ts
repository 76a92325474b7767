import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SetClock } from '../../../agent/identity/fetch-server-ca.ts';
import { type EndpointConfig, ServerEndpoint } from '../../../agent/link/server-endpoint.ts';
import { caReplySchema } from '../../../protocol/enrolment.ts';
import {
  type KeyCertificates,
  type KeyCertificatesOptions,
  makeKeyCertificates,
  years,
} from '../../builders/key-certificates.ts';
import { ScriptedServer } from '../../fakes/scripted-server.ts';
import { Resources } from '../../resources.ts';

interface Scene {
  readonly server: ScriptedServer;
  readonly tls: KeyCertificates;
  /** Requests as the server saw them. */
  readonly seen: string[];
}

interface SceneOptions extends KeyCertificatesOptions {
  /** What the server says of itself. */
  readonly reply?: (tls: KeyCertificates) => object;
}

async function start(resources: Resources, options: SceneOptions = {}): Promise<Scene> {
  const tls = await makeKeyCertificates(resources, options);
  const seen: string[] = [];
  const reply = options.reply ?? (({ ca }) => ({ certificate: ca, server_time: new Date().toISOString() }));
  const server = await ScriptedServer.start(resources, {
    tls,
    routes: {
      'GET /api/agent/ca': (_body, request) => {
        seen.push(`${request.method} ${request.url} ${JSON.stringify(request.headers)}`);
        return { status: 200, body: reply(tls) };
      },
      'GET /verified': () => ({ status: 200, body: reply(tls) }),
    },
  });
  return { server, tls, seen };
}

/** Asks something over a connection that must be verified. */
async function ask(config: EndpointConfig, setClock: SetClock = null, now?: () => number): Promise<void> {
  await using endpoint = new ServerEndpoint({ config, setClock, ...(now === undefined ? {} : { now }) });
  const signal = AbortSignal.timeout(10_000);
  await endpoint.ask('/verified', { method: 'GET', schema: caReplySchema, signal });
}

test('with the right pin the CA is fetched once and everything else is verified with it', async () => {
  await using resources = new Resources();
  const { server, tls, seen } = await start(resources);
  await using endpoint = new ServerEndpoint({ config: { server: server.origin, pin: tls.pin }, setClock: null });
  const signal = AbortSignal.timeout(10_000);
  for (let round = 0; round < 3; round += 1) {
    await endpoint.ask('/verified', { method: 'GET', schema: caReplySchema, signal });
  }
  (await endpoint.dial(signal)).destroy();
  assert.equal(seen.length, 1);
  assert.doesNotMatch(seen[0] ?? '', /authorization|cookie/i);
});

test('another pin is refused, and nothing follows the first request', async () => {
  await using resources = new Resources();
  const { server, seen } = await start(resources);
  const pin = `sha256:${'ab'.repeat(32)}`;
  await assert.rejects(ask({ server: server.origin, pin }), { code: 'server_pin_mismatch', kind: 'integrity' });
  assert.equal(seen.length, 1);
});

test('whoever stands in between and hands on the true CA is refused: its own certificate is not signed by it', async () => {
  await using resources = new Resources();
  const genuine = await makeKeyCertificates(resources);
  const answer = { certificate: genuine.ca, server_time: new Date().toISOString() };
  const { server } = await start(resources, { reply: () => answer });
  await assert.rejects(ask({ server: server.origin, pin: genuine.pin }), { code: 'server_untrusted' });
});

test('a second certificate behind the pinned one is not trusted with it', async () => {
  await using resources = new Resources();
  const genuine = await makeKeyCertificates(resources);
  const reply = (own: KeyCertificates): object => ({
    certificate: genuine.ca + own.ca,
    server_time: new Date().toISOString(),
  });
  const { server } = await start(resources, { reply });
  await assert.rejects(ask({ server: server.origin, pin: genuine.pin }), { code: 'server_untrusted' });
});

test('a certificate with the right key that this key did not sign is refused: its dates could be anything', async () => {
  await using resources = new Resources();
  const { tls } = await start(resources);
  const der = Buffer.from(tls.ca.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
  // The last byte is the signature's.
  der.writeUInt8((der.at(-1) ?? 0) ^ 1, der.length - 1);
  const forged = `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`;
  const scene = await start(resources, {
    caKey: tls.caKey,
    reply: () => ({ certificate: forged, server_time: new Date().toISOString() }),
  });
  await assert.rejects(ask({ server: scene.server.origin, pin: tls.pin }), {
    code: 'server_pin_mismatch',
    message: /forged/,
  });
});

for (const [year, at] of [
  ['1970', Date.parse('1970-01-01T00:01:00Z')],
  ['2019', Date.parse('2019-06-01T00:00:00Z')],
  ['2035', Date.parse('2035-06-01T00:00:00Z')],
] as const) {
  test(`F11 a clock in ${year} is set to the server's time with the pin, and only said without the right to`, async () => {
    await using resources = new Resources();
    // 2035 is within the CA's ten years and far behind the end of the server's own certificate.
    const { server, tls } = await start(resources, { caValidity: years(1, 30) });
    let clockMs = at;
    const set: Date[] = [];
    const setClock = async (time: Date): Promise<void> => {
      set.push(time);
      clockMs = time.getTime();
    };
    const config = { server: server.origin, pin: tls.pin };
    await assert.rejects(
      ask(config, null, () => clockMs),
      {
        code: 'clock_wrong',
        message: new RegExp(`shows ${year}.*server's clock shows ${new Date().getUTCFullYear()}`),
      },
    );
    await ask(config, setClock, () => clockMs);
    assert.equal(set.length, 1);
    assert.ok(Math.abs((set[0]?.getTime() ?? 0) - Date.now()) < 10_000);
    await ask(config, setClock, () => clockMs);
    assert.equal(set.length, 1, 'a clock that can be right is left alone');
  });
}

test('F11 without a pin a certificate that is not valid now is said plainly, with the time of the clock', async () => {
  await using resources = new Resources();
  for (const [leafValidity, what] of [
    [years(3, -1), /has expired at 20/],
    [years(-1, 3), /is not valid yet at 20/],
  ] as const) {
    const { server, tls } = await start(resources, { leafValidity, caValidity: years(5, 10) });
    await assert.rejects(ask({ server: server.origin, ca: tls.ca }), { code: 'clock_wrong', message: what });
  }
});

test('a server time that the certificates do not hold for either is never taken for the clock', async () => {
  await using resources = new Resources();
  const { server, tls } = await start(resources, {
    reply: ({ ca }) => ({ certificate: ca, server_time: '2051-01-01T00:00:00Z' }),
  });
  const setClock = async (): Promise<void> => assert.fail('the clock was set');
  await assert.rejects(
    ask({ server: server.origin, pin: tls.pin }, setClock, () => 0),
    { code: 'clock_wrong', message: /neither/ },
  );
});

test('a configured CA is the only root, one that is not the pin is refused, and the system roots know neither', async () => {
  await using resources = new Resources();
  const { server, tls, seen } = await start(resources);
  const other = await makeKeyCertificates(resources);
  await ask({ server: server.origin, ca: tls.ca });
  assert.equal(seen.length, 0);
  await assert.rejects(ask({ server: server.origin, ca: other.ca }), { code: 'server_untrusted' });
  await assert.rejects(ask({ server: server.origin }), { code: 'server_untrusted' });
  const both = { server: server.origin, ca: other.ca, pin: tls.pin };
  assert.throws(() => new ServerEndpoint({ config: both, setClock: null }), { code: 'document_invalid' });
});

test('the certificate must be for the host that was dialled', async () => {
  await using resources = new Resources();
  const { server, tls } = await start(resources);
  const elsewhere = server.origin.replace('127.0.0.1', '127.0.0.2');
  await assert.rejects(ask({ server: elsewhere, ca: tls.ca }), { code: /server_unreachable|server_untrusted/ });
  await ask({ server: server.origin.replace('127.0.0.1', 'localhost'), ca: tls.ca });
});

test('after a refused certificate the CA is asked for again: it may have been renewed with the same key', async () => {
  await using resources = new Resources();
  const { server, tls, seen } = await start(resources);
  const config = { server: server.origin, pin: tls.pin };
  await using endpoint = new ServerEndpoint({ config, setClock: null });
  const dial = async (): Promise<void> => void (await endpoint.dial(AbortSignal.timeout(10_000))).destroy();
  await dial();
  await dial();
  assert.equal(seen.length, 1);
  server.useCertificate(await makeKeyCertificates(resources));
  await assert.rejects(dial(), { code: 'server_untrusted' });
  server.useCertificate(tls);
  await dial();
  assert.equal(seen.length, 2);
});

test('plain HTTP must be asked for by name', async () => {
  assert.throws(() => new ServerEndpoint({ config: { server: 'http://127.0.0.1:1' }, setClock: null }), {
    code: 'usage',
    message: /--plain-http/,
  });
});

test('who is not there, does not speak TLS, or is something else, is each said in its own words', async () => {
  await using resources = new Resources();
  const plain = await ScriptedServer.start(resources, {
    routes: {
      'GET /verified': () => ({ status: 200, body: { hello: 'world' } }),
      'GET /api/agent/ca': () => ({ status: 503 }),
    },
  });
  const http = { server: plain.origin, plain_http: true };
  await assert.rejects(ask(http), { code: 'server_answer_invalid', message: /may be no durantic server/ });
  await assert.rejects(ask({ server: plain.origin.replace('http', 'https') }), {
    code: 'server_unreachable',
    message: /does not speak TLS/,
  });
  await assert.rejects(ask({ server: 'https://127.0.0.1:1' }), {
    code: 'server_unreachable',
    message: /cannot be reached/,
  });
  const { server, tls } = await start(resources, { reply: () => ({}) });
  await assert.rejects(ask({ server: server.origin, pin: tls.pin }), { code: 'server_answer_invalid' });
});
