import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootRoutes } from '../../../control-plane/downloads/boot-routes.ts';
import { Enrolment } from '../../../control-plane/enrolment/enrolment.ts';
import {
  markForInstall,
  registerKnownMachine,
  unmarkForInstall,
} from '../../../control-plane/enrolment/known-machine.ts';
import { parseKernelParameters } from '../../../protocol/kernel-parameters.ts';
import { collectingLogger } from '../../builders/collecting-logger.ts';
import { ScriptedHub } from '../../builders/enrolment.ts';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import { FakeClock, testContext } from '../../builders/server-context.ts';
import { Resources } from '../../resources.ts';

const mac = '52:54:00:12:34:56';

interface Script {
  readonly text: string;
  /** What the installer will read; null: the script does not start it. */
  readonly kernel: { readonly url: string; readonly parameters: ReturnType<typeof parseKernelParameters> } | null;
}

async function script(server: TestServer, query: string, base?: string): Promise<Script> {
  const response =
    base === undefined ? await server.fetch(`/boot/ipxe${query}`) : await fetch(`${base}/boot/ipxe${query}`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/plain; charset=utf-8');
  assert.equal(response.headers.get('cache-control'), 'no-store');
  const text = await response.text();
  const line = /^kernel (\S+) (.*) \|\| goto failed$/m.exec(text);
  if (line === null) return { text, kernel: null };
  // As iPXE expands it on a machine that was booted from that interface.
  const words = (line[2] ?? '').replace(`\${netX/mac:hexhyp}`, mac.replaceAll(':', '-'));
  return { text, kernel: { url: line[1] ?? '', parameters: parseKernelParameters(words) } };
}

test('a token gets the installer with server, pin and token, and the log does not have it', async () => {
  await using resources = new Resources();
  const { log, lines } = collectingLogger();
  const server = await startTestServer(resources, { log });
  const { kernel } = await script(server, '?token=eyJ.S3CR3T');
  assert.equal(kernel?.url, `${server.url}/boot/vmlinuz`);
  assert.deepEqual(kernel?.parameters.problems, []);
  assert.deepEqual(kernel?.parameters.unknown, []);
  const { server: origin, pin, token, bootMac } = kernel?.parameters.parameters ?? {};
  assert.deepEqual(
    { origin, pin, token, bootMac },
    { origin: server.url, pin: server.pin, token: 'eyJ.S3CR3T', bootMac: mac },
  );
  assert.equal((await server.fetch('/boot/ipxe?token=a%22b')).status, 422);
  const long = await server.api<{ detail: string }>('GET', `/boot/ipxe?token=${'x'.repeat(2040)}`);
  assert.equal(long.status, 422);
  assert.doesNotMatch(JSON.stringify(lines), /S3CR3T/);
});

test('a machine gets the installer while it is marked, known by any of its addresses, and its own disk otherwise', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const machineUuid = registerKnownMachine(server.context, { macs: ['52:54:00:aa:aa:aa', mac], hostname: 'node1' });
  const query = '?mac=&mac=00-00-00-00-00-01&mac=52-54-00-12-34-56&mac=20-00-00-00-fe-80-00-00-00-00-00-00-00-02&mac=';
  assert.equal((await script(server, query)).kernel, null);

  markForInstall(server.context, machineUuid, Date.now() + 60_000);
  const marked = await script(server, query);
  const token = marked.kernel?.parameters.parameters.token;
  assert.match(token ?? '', /^eyJ[^.]*\.\./);
  assert.equal((await script(server, `?mac=${mac}`)).kernel?.parameters.parameters.server, server.url);

  for (const other of ['?mac=52:54:00:00:00:01', '?mac=', '?mac=net0', '?token=&mac=']) {
    const { kernel, text } = await script(server, other);
    assert.equal(kernel, null);
    assert.match(text, /boots from its own disk/);
    assert.doesNotMatch(text, /^chain/m);
  }
  unmarkForInstall(server.context, machineUuid);
  assert.equal((await script(server, query)).kernel, null);
  assert.equal((await server.fetch(`/boot/ipxe?${'mac=a&'.repeat(17)}`)).status, 422);
});

test('an installed machine that a run has marked gets the installer, and no token with it', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const { db } = server.context;
  const machineUuid = registerKnownMachine(server.context, { macs: [mac], hostname: null });
  db.prepare("UPDATE machines SET was_installed = 1, install_until = '2999-01-01T00:00:00.000Z'").run();
  const byRun = (await script(server, `?mac=${mac}`)).kernel?.parameters;
  assert.deepEqual(byRun?.problems, []);
  assert.deepEqual(
    [byRun?.parameters.server, byRun?.parameters.pin, byRun?.parameters.token],
    [server.url, server.pin, null],
  );
  markForInstall(server.context, machineUuid, Date.now() + 60_000);
  assert.ok((await script(server, `?mac=${mac}`)).kernel?.parameters.parameters.token);
});

test('who asks about too many machines gets the local disk, also for a marked one, and is told when to come again', async () => {
  await using resources = new Resources();
  const clock = new FakeClock();
  const server = await startTestServer(resources, { clock });
  const machineUuid = registerKnownMachine(server.context, { macs: [mac], hostname: null });
  markForInstall(server.context, machineUuid, clock.now() + 3_600_000);
  const guess = async (request: number): Promise<Script> => {
    const macs = Array.from(
      { length: 16 },
      (_, index) => `mac=52-54-00-ff-${(request + 16).toString(16)}-${index + 10}`,
    );
    return await script(server, `?${macs.join('&')}`);
  };
  for (let request = 0; request < 25; request += 1) assert.match((await guess(request)).text, /nothing to install/);
  const { text, kernel } = await script(server, `?mac=${mac}`);
  assert.equal(kernel, null);
  assert.match(text, /^echo durantic: too many MAC addresses were asked about from here/m);
  assert.match(text, /^echo durantic: .* start it again in 2 seconds$/m);
  assert.match(text, /^sanboot --no-describe --drive 0x80 \|\|$/m);
  assert.equal(server.services.enrolment.counters.limited, 1);
  assert.ok((await script(server, '?token=abc')).kernel, 'a token is no guess');
  clock.advance(2000);
  for (let time = 0; time < 3; time += 1)
    assert.ok((await script(server, `?mac=${mac}`)).kernel, 'a right one costs nothing');
});

test('without anything the script asks again, where it was asked', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources, { settings: { httpBoot: { host: '127.0.0.1', port: 0 } } });
  const boot = server.context.httpBootUrl ?? '';
  assert.match(boot, /^http:\/\/127\.0\.0\.1:\d+$/);
  for (const [base, origin] of [
    [undefined, server.url],
    [boot, boot],
  ] as const) {
    const { text, kernel } = await script(server, '', base);
    assert.equal(kernel, null);
    assert.ok(text.includes(`chain --replace --autofree ${origin}/boot/ipxe?mac=\${netX/mac:hexhyp}&`), text);
  }
});

test('firmware without TLS gets kernel and script in clear, and the server of the installer with TLS', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources, { settings: { httpBoot: { host: '127.0.0.1', port: 0 } } });
  const boot = server.context.httpBootUrl ?? '';
  const { kernel } = await script(server, '?token=abc', boot);
  assert.equal(kernel?.url, `${boot}/boot/vmlinuz`);
  assert.equal(kernel?.parameters.parameters.server, server.url);
  for (const path of ['/install.sh', '/download/durantic-linux-x64.tar.gz', '/api/openapi.json']) {
    assert.equal((await fetch(`${boot}${path}`)).status, 404, path);
  }
});

test('a Host header cannot make the server name another server', async () => {
  await using resources = new Resources();
  const urls = ['https://a.example:8443', 'https://10.0.0.5:8443'];
  const context = testContext(resources, { publicUrls: urls, httpBootUrl: 'http://a.example:8080' });
  const [route] = bootRoutes(new Enrolment(context, { hub: new ScriptedHub(), onAdopted: () => undefined }));
  const ask = async (protocol: string, host: string): Promise<[string, string]> => {
    const reply = { header: () => reply };
    const raw = { protocol, headers: { host } };
    const text = String(await route?.handle({ query: { token: 'abc' }, raw, reply } as never));
    return [/^kernel (\S+)\/boot\/vmlinuz/m.exec(text)?.[1] ?? '', /durantic\.server=(\S+)/.exec(text)?.[1] ?? ''];
  };
  assert.deepEqual(await ask('https', 'a.example:8443'), [urls[0], urls[0]]);
  assert.deepEqual(await ask('https', '10.0.0.5:8443'), [urls[1], urls[1]]);
  assert.deepEqual(await ask('https', 'evil.example'), [urls[0], urls[0]]);
  // Firmware: what it reached the listener by, and the public address on the same host.
  assert.deepEqual(await ask('http', '10.0.0.5:8080'), ['http://10.0.0.5:8080', urls[1]]);
  assert.deepEqual(await ask('http', 'x y'), ['http://a.example:8080', urls[0]]);
  assert.deepEqual(await ask('http', `\${y}`), ['http://a.example:8080', urls[0]]);
});
