import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeCertificates } from '../../builders/certificates.ts';
import { assertRefused } from '../../builders/operated-server.ts';
import { startTestServer } from '../../builders/server.ts';
import { serverCli } from '../../builders/server-cli.ts';
import { freePort, Resources } from '../../resources.ts';

const noServer = { url: '', adminToken: '', pin: '' };

/** A server that is none of ours. */
async function listen(resources: Resources, listener: RequestListener): Promise<string> {
  const server = createHttpServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  resources.defer('close the listener', () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('what is missing in the environment is said with what to set', async () => {
  const cli = serverCli(noServer);
  assertRefused(await cli(['machines']), 2, /set DURANTIC_ENDPOINT to its address.*DURANTIC_API_TOKEN.*DURANTIC_PIN/);
  const endpoint = { DURANTIC_ENDPOINT: 'https://127.0.0.1:1' };
  assertRefused(await cli(['machines'], { env: endpoint }), 2, /DURANTIC_API_TOKEN is not set.*api-token create/);
  assertRefused(
    await cli(['machines', '--endpoint', 'server:8443'], { env: { DURANTIC_API_TOKEN: 'x' } }),
    2,
    /no address such as https/,
  );
});

test('a server is trusted by its pin or its CA, and the token goes to no other', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const cli = serverCli(server);
  const ca = join(server.dataDir, 'ca.crt');
  assert.equal((await cli(['machines', '--json', '--ca', ca], { env: { DURANTIC_PIN: '' } })).stdout, '[]\n');
  assert.equal((await cli(['machines', '--json', '--data-dir', server.dataDir])).stdout, '[]\n');
  const otherPin = `sha256:${'0'.repeat(64)}`;
  assertRefused(
    await cli(['machines', '--pin', otherPin]),
    5,
    /another key than the pin says.*\[server_pin_mismatch\]/,
  );
  assertRefused(await cli(['machines'], { env: { DURANTIC_PIN: '' } }), 3, /is not trusted.*\[server_untrusted\]/);
  assertRefused(await cli(['machines', '--pin', 'abc']), 2, /a pin is sha256:/);
  assertRefused(await cli(['machines', '--pin', otherPin, '--ca', ca]), 2, /give one of --pin, --ca and --data-dir/);
  const insecure = await cli(['machines', '--json'], {
    env: { DURANTIC_PIN: '', DURANTIC_INSECURE_SKIP_VERIFY: 'true' },
  });
  assert.deepEqual([insecure.exitCode, insecure.stdout], [0, '[]\n']);
  assert.match(insecure.stderr, /nobody knows who receives the API token/);
  const wrongToken = await cli(['machines'], { env: { DURANTIC_API_TOKEN: 'dur_wrong' } });
  assertRefused(wrongToken, 2, /does not accept the API token \[api_token_refused\]/);
  assert.ok(!wrongToken.stderr.includes('dur_wrong'));
});

test('a server that is away, silent with an error, or something else is said as such', async () => {
  await using resources = new Resources();
  const env = { DURANTIC_API_TOKEN: 'x' };
  const cli = serverCli(noServer);
  const nobody = ['--endpoint', `https://127.0.0.1:${await freePort()}`];
  assertRefused(
    await cli(['machines', ...nobody], { env }),
    4,
    /cannot be reached.*ECONNREFUSED.*\[server_unreachable\]/,
  );
  const pinned = ['--pin', `sha256:${'0'.repeat(64)}`];
  assertRefused(await cli(['machines', ...nobody, ...pinned], { env }), 4, /cannot be reached/);
  const requests: string[] = [];
  const failing = await listen(resources, (request, response) => {
    requests.push(`${request.method}`);
    response.writeHead(500, { 'content-type': 'application/json' }).end('{"detail":"the server failed"}');
  });
  assertRefused(
    await cli(['images', '--endpoint', failing], { env }),
    4,
    /answers 500: the server failed \[server_error\]/,
  );
  assert.deepEqual(requests.splice(0), ['GET', 'GET', 'GET'], 'a GET is tried three times');
  assertRefused(await cli(['token', 'rotate', '--endpoint', failing], { env }), 4, /\[server_error\]/);
  assert.deepEqual(requests, ['POST'], 'anything else once');
  const page = await listen(resources, (_request, response) => response.end('<html>login</html>'));
  assertRefused(await cli(['images', '--endpoint', page], { env }), 2, /cannot read: .*\[server_answer_invalid\]/);
  const tls = page.replace('http:', 'https:');
  assertRefused(await cli(['images', '--endpoint', tls], { env }), 4, /does not speak TLS; write http:\/\//);
});

test('who stands in between and shows the right CA gets no token: its own certificate is not signed by it', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const { certFile, keyFile } = await makeCertificates(resources);
  const seen: (string | undefined)[] = [];
  const tls = { cert: await readFile(certFile), key: await readFile(keyFile) };
  const between = createHttpsServer(tls, (request, response) => {
    seen.push(request.headers.authorization);
    const reply = { certificate: server.caCertificate, server_time: new Date().toISOString() };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(reply));
  });
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
  resources.defer('close the listener', () => {
    between.closeAllConnections();
    between.close();
  });
  const endpoint = `https://127.0.0.1:${(between.address() as AddressInfo).port}`;
  const result = await serverCli(server)(['machines', '--endpoint', endpoint]);
  assertRefused(result, 3, /is not trusted.*\[server_untrusted\]/);
  assert.deepEqual(seen, [undefined], 'the CA was asked for, without a secret, and nothing else');
});
