import { truncateSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { downloadRoutes } from '../../../control-plane/downloads/download-routes.ts';
import { createApp } from '../../../control-plane/http/create-app.ts';
import { registerRoutes } from '../../../control-plane/http/register-routes.ts';
import { RequestTracker } from '../../../control-plane/server/request-tracker.ts';
import { healthRoute } from '../../../control-plane/server/system-routes.ts';
import { WebServer } from '../../../control-plane/server/web-server.ts';
import { silentLogger } from '../../../core/base/logger.ts';
import { testContext } from '../../builders/server-context.ts';
import { Resources, waitFor } from '../../resources.ts';

const bundlePath = '/download/durantic-linux-x64.tar.gz';
const bundleBytes = 1024 * 1024;
/** Far below what a download may take nothing for (120 s), which must not count once it is over. */
const keepAliveMs = 300;

/** Downloads and health on the server's own kind of socket, which lets an idle connection go after 0.3 s. */
async function serve(resources: Resources): Promise<WebServer> {
  const assetsDir = resources.tempDir();
  const bundle = join(assetsDir, 'durantic-linux-x64.tar.gz');
  writeFileSync(bundle, '');
  truncateSync(bundle, bundleBytes);
  const context = testContext(resources, { assetsDir });
  const web = await WebServer.listen({ host: '127.0.0.1', port: 0 }, null, silentLogger);
  resources.defer('end the server', () => web[Symbol.asyncDispose]());
  web.server.keepAliveTimeout = keepAliveMs;
  web.server.keepAliveTimeoutBuffer = 0;
  const app = createApp({
    log: silentLogger,
    attach: (handler) => {
      web.serve(handler);
      return web.server;
    },
  });
  const tracker = new RequestTracker(() => false);
  registerRoutes(app, [...downloadRoutes(context), healthRoute({ ...context, tracker })], {
    authenticate: () => context.accountUuid,
    publicAccountUuid: context.accountUuid,
  });
  await app.ready();
  return web;
}

interface Peer {
  readonly socket: Socket;
  receivedBytes(): number;
  isClosed(): boolean;
}

/** A peer that stays connected and says nothing by itself. */
function connectPeer(resources: Resources, port: number): Peer {
  const socket = connect(port, '127.0.0.1');
  resources.defer('cut the peer', () => void socket.destroy());
  let receivedBytes = 0;
  let isClosed = false;
  socket.on('data', (chunk: Buffer) => {
    receivedBytes += chunk.byteLength;
  });
  socket.on('close', () => {
    isClosed = true;
  });
  return { socket, receivedBytes: () => receivedBytes, isClosed: () => isClosed };
}

const ask = (path: string, headers = ''): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`;

for (const { what, path, headers, bytes } of [
  { what: 'another answer', path: '/healthz', headers: '', bytes: 100 },
  { what: 'a download', path: bundlePath, headers: '', bytes: bundleBytes },
  { what: 'a part of one', path: bundlePath, headers: 'Range: bytes=0-99\r\n', bytes: 200 },
]) {
  test(`a connection that says nothing more after ${what} is let go`, async () => {
    await using resources = new Resources();
    const web = await serve(resources);
    const peer = connectPeer(resources, web.port);
    // Twice: what the first leaves behind on the socket meets the second.
    for (const round of [1, 2]) {
      peer.socket.write(ask(path, headers));
      await waitFor('the answer', () => peer.receivedBytes() >= bytes * round, { timeoutMs: 5000 });
    }
    await waitFor('the server to let go', () => peer.isClosed(), { timeoutMs: keepAliveMs + 3000 });
  });
}
