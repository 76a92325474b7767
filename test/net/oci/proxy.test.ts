import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { openImageSource } from '../../../agent/provision/open-image-source.ts';
import { makeCertificates } from '../../builders/certificates.ts';
import { startRegistry } from '../../builders/registry.ts';
import { tinyImage } from '../../builders/tiny-image.ts';
import { listenOnLoopback } from '../../fakes/listen-on-loopback.ts';
import { Resources } from '../../resources.ts';

const platform = { os: 'linux', architecture: 'amd64' };
const password = `Basic ${Buffer.from('machine:pass word').toString('base64')}`;

/** A proxy that forwards and tunnels for whoever has its password, and notes what it was asked. */
async function startProxy(resources: Resources): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((incoming, response) => {
    const { url = '', method, headers } = incoming;
    asked.push(`${method} ${url}`);
    if (headers['proxy-authorization'] !== password) return void response.writeHead(407).end();
    const { 'proxy-authorization': _, ...passed } = headers;
    request(url, { method, headers: passed, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    }).end();
  });
  server.on('connect', (incoming: IncomingMessage, socket: Duplex) => {
    const target = incoming.url ?? '';
    asked.push(`CONNECT ${target}`);
    resources.defer('end a tunnel', () => void socket.destroy());
    socket.on('error', () => undefined);
    const [host = '', port = ''] = target.split(':');
    const upstream = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on('error', () => socket.destroy());
    resources.defer('end the other side of a tunnel', () => void upstream.destroy());
  });
  const { host } = await listenOnLoopback(resources, server);
  return { url: `http://machine:pass%20word@${host}`, asked };
}

async function digestBy(reference: string, options: { proxy: string; caFile: string | null }): Promise<string> {
  const { signal } = new AbortController();
  const { proxy, caFile } = options;
  const source = await openImageSource(reference, {
    ...{ proxy, registryCaFile: caFile, plainHttp: caFile === null, signal },
  });
  try {
    return (await source.resolve(platform, { signal })).manifestDigest;
  } finally {
    await source.close();
  }
}

test('F12 a registry is reached by a proxy with a password: plain HTTP is forwarded, HTTPS goes through a tunnel', async () => {
  await using resources = new Resources();
  const image = await tinyImage(resources);
  const tls = await makeCertificates(resources);
  const proxy = await startProxy(resources);
  const plain = await startRegistry(resources);
  const secure = await startRegistry(resources, { tls });
  const plainReference = await plain.push(image.reference, 'os/tiny:1');
  const secureReference = await secure.push(image.reference, 'os/tiny:1');
  assert.equal(await digestBy(plainReference, { proxy: proxy.url, caFile: null }), image.digest);
  assert.ok(proxy.asked.length > 0 && proxy.asked.every((line) => line.startsWith(`GET http://${plain.host}/v2/`)));
  proxy.asked.length = 0;
  assert.equal(await digestBy(secureReference, { proxy: proxy.url, caFile: tls.caFile }), image.digest);
  assert.ok(proxy.asked.length > 0 && proxy.asked.every((line) => line === `CONNECT ${secure.host}`));
});
