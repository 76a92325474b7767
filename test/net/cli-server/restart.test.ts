import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { operateServer } from '../../builders/operated-server.ts';
import { PlayedMachine } from '../../builders/played-machine.ts';
import { PseudoTerminal } from '../../builders/pseudo-terminal.ts';
import { startRegistry } from '../../builders/registry.ts';
import { startTestServer } from '../../builders/server.ts';
import { cliEnvironment, cliMain, cliNode } from '../../builders/server-cli.ts';
import { tinyImage } from '../../builders/tiny-image.ts';
import { Resources, waitFor } from '../../resources.ts';

/** Listens in the place of the server and cuts everyone off, until so many have come. */
async function waitForAttempts(port: number, count: number): Promise<void> {
  let attempts = 0;
  const listener = createServer((socket) => {
    attempts += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve));
  try {
    await waitFor(`${count} attempts`, () => attempts >= count);
  } finally {
    await new Promise((resolve) => listener.close(resolve));
  }
}

test('who watches a run sees it through a restart of the server', async () => {
  await using resources = new Resources();
  const registry = await startRegistry(resources);
  const reference = await registry.push((await tinyImage(resources)).reference, 'os/tiny:1');
  const { server, ok, machine } = await operateServer(resources);
  await ok(['images', 'add', 'tiny', `http://${reference}`, '--default']);
  const node = machine('node-1');
  await node.bootInstaller();
  const env = { ...process.env, ...cliEnvironment(server) };
  const args = [cliMain, 'server', 'provision', 'node-1', '--yes'];
  const child = resources.spawn(cliNode, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let shown = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (shown += chunk.toString()));
  const exitCode = new Promise((resolve) => child.once('exit', resolve));
  const uuid = (await node.take()).args.provision_uuid;
  await waitFor('the run on the screen', () => /Entering the installer/.test(shown));
  await server.close();
  await waitFor('word of the loss', () => /the machine goes on, and the server is asked again/.test(shown));
  const { dataDir, port, adminToken } = server;
  await waitForAttempts(port, 3);
  const settings = { dataDir, listen: { host: '127.0.0.1', port } };
  const again = await startTestServer(resources, { settings, adminToken });
  const back = new PlayedMachine(resources, { url: again.url, ca: again.caCertificate, identity: node.identity });
  await back.bootInstaller();
  await back.install(uuid);
  await back.bootInstalled(uuid);
  await back.cloudInit(uuid, 'absent');
  assert.equal(await exitCode, 0, shown);
  assert.equal(shown.match(/asked again/g)?.length, 1, 'it is said once');
  assert.match(shown, /\[7\/7\] Sync and Reboot: did sync_and_reboot/);
  assert.match(shown, /node-1 is completed: installed; the image has no cloud-init/);
});

test('a secret that is typed on a terminal is not shown there', async () => {
  await using resources = new Resources();
  const { server, json } = await operateServer(resources);
  const command = [cliNode, cliMain, 'server', 'secrets', 'set', 'KEY'];
  const screen = new PseudoTerminal(resources, { command, env: cliEnvironment(server), columns: 80, rows: 24 });
  await screen.shows(/^value of KEY:/);
  screen.type('typed in secret\r');
  await screen.shows(/^The secret KEY is set\.$/);
  assert.equal(await screen.exitCode, 0);
  assert.ok(!screen.output.includes('typed'));
  assert.equal((await json<unknown[]>(['secrets'])).length, 1);
  const again = new PseudoTerminal(resources, { command, env: cliEnvironment(server), columns: 80, rows: 24 });
  await again.shows(/^value of KEY:/);
  again.type('half\x03');
  assert.equal(await again.exitCode, 7);
});
