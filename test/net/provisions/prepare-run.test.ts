import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { parseAgentConfig } from '../../../agent/config/read-agent-config.ts';
import { createRegistryCredential } from '../../../control-plane/images/registry-credentials/store-registry-credential.ts';
import { RenderError } from '../../../control-plane/services.ts';
import { type ProvisionServer, startProvisionServer } from '../../builders/provision-server.ts';
import { startRegistry } from '../../builders/registry.ts';
import { tinyImage } from '../../builders/tiny-image.ts';
import { listenOnLoopback } from '../../fakes/listen-on-loopback.ts';
import { startTokenServer } from '../../fakes/token-server.ts';
import { Resources } from '../../resources.ts';

function credential(server: ProvisionServer, registryUrl: string): string {
  return createRegistryCredential(server.context, {
    name: registryUrl,
    registry_url: registryUrl,
    username: 'robot',
    password: 'pa55-of-robot',
    description: '',
  }).uuid;
}

test('the tag’s digest is looked up once and every delivery uses it', async () => {
  await using resources = new Resources();
  const registry = await startRegistry(resources);
  const [one, two] = [await tinyImage(resources, 'one'), await tinyImage(resources, 'two')];
  const url = await registry.push(one.reference, 'os/tiny:stable');
  const server = await startProvisionServer(resources);
  server.useImage(`http://${url}`);
  const machine = server.machine();
  const { provisionUuid } = server.service.queue(machine.uuid);
  await server.service.settled();
  const queued = server.run(machine.uuid, provisionUuid);
  assert.deepEqual([queued.status, queued.image_digest], ['queued', one.digest]);
  await server.service.tick();
  assert.equal(server.run(machine.uuid, provisionUuid).current_message, 'waiting for the machine');
  await registry.push(two.reference, 'os/tiny:stable');
  await machine.bootInstaller();
  assert.equal((await machine.take()).args.image.digest, one.digest);
  await machine.bootInstaller();
  assert.equal((await machine.take()).args.image.digest, one.digest);
});

test('the arguments have everything that the machine needs, and what the run was queued with', async () => {
  await using resources = new Resources();
  const registry = await startRegistry(resources);
  const server = await startProvisionServer(resources, {
    renderMachine: async () => ({ userData: '#cloud-config\nhostname: from-the-role\n', parts: [] }),
  });
  const url = `http://${await registry.push((await tinyImage(resources)).reference, 'os/tiny:1')}`;
  server.useImage(url, credential(server, registry.host));
  const machine = server.machine();
  const { db } = server.context;
  db.prepare(`UPDATE machines SET hostname = 'node-7', target_disk = '/dev/sdb', kexec_installer = 1`).run();
  const { provisionUuid } = server.service.queue(machine.uuid);
  await server.service.settled();
  db.prepare(`UPDATE machines SET hostname = 'later', target_disk = '/dev/sdc'`).run();
  await machine.bootInstaller();
  const { args } = await machine.take();
  assert.equal(args.provision_uuid, provisionUuid);
  assert.deepEqual(args.image, { ...args.image, reference: url, platform: 'linux/amd64' });
  assert.deepEqual(args.credentials, [{ registry: registry.host, username: 'robot', password: 'pa55-of-robot' }]);
  assert.equal(args.user_data, '#cloud-config\nhostname: from-the-role\n');
  assert.equal(args.meta_data, `instance-id: ${provisionUuid}\nlocal-hostname: node-7\n`);
  assert.deepEqual(
    [args.target_disk, args.hostname, args.kexec_installer, args.inject_agent, args.boot, args.read_back],
    ['/dev/sdb', 'node-7', true, true, 'reboot', false],
  );
  const config = parseAgentConfig(args.agent_config ?? '', 'agent.yaml');
  assert.deepEqual(
    [config.server, config.plain_http, config.pin],
    [server.context.publicUrls[0], true, server.context.pin],
  );
});

test('neither user data nor passwords are in the database in clear, nor in the stored command', async () => {
  await using resources = new Resources();
  const registry = await startRegistry(resources);
  const server = await startProvisionServer(resources, {
    renderMachine: async () => ({ userData: '#cloud-config\npassword: secret-of-a-role\n', parts: [] }),
  });
  const url = await registry.push((await tinyImage(resources)).reference, 'os/tiny:1');
  server.useImage(`http://${url}`, credential(server, registry.host));
  const machine = server.machine();
  server.service.queue(machine.uuid);
  await server.service.settled();
  await machine.bootInstaller();
  assert.match((await machine.take()).args.user_data ?? '', /secret-of-a-role/);
  server.context.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  const bytes = readFileSync(server.databaseFile).toString('latin1');
  assert.ok(bytes.includes(machine.uuid), 'this is the database');
  assert.ok(!bytes.includes('secret-of-a-role') && !bytes.includes('pa55-of-robot'));
});

test('credentials of the image open its registry', async () => {
  await using resources = new Resources();
  const tokenAuth = await startTokenServer(resources);
  const registry = await startRegistry(resources, { tokenAuth });
  const server = await startProvisionServer(resources);
  const image = await tinyImage(resources);
  server.useImage(
    `http://${await registry.push(image.reference, 'os/tiny:1')}`,
    credential(server, `https://${registry.host}`),
  );
  const before = tokenAuth.requests.length;
  const machine = server.machine();
  const { provisionUuid } = server.service.queue(machine.uuid);
  await server.service.settled();
  assert.equal(server.run(machine.uuid, provisionUuid).image_digest, image.digest);
  const basic = `Basic ${Buffer.from('robot:pa55-of-robot').toString('base64')}`;
  assert.deepEqual(
    tokenAuth.requests.slice(before).map(({ authorization }) => authorization),
    [basic],
  );
});

test('a registry that is not there leaves the run queued with the reason, and is asked again later', async () => {
  await using resources = new Resources();
  const registry = await startRegistry(resources);
  const image = await tinyImage(resources);
  await registry.push(image.reference, 'os/tiny:1');
  let isUp = false;
  let asked = 0;
  const proxy = createServer((socket) => {
    asked += 1;
    if (!isUp) {
      socket.destroy();
      return;
    }
    const [host, port] = registry.host.split(':');
    const upstream = connect(Number(port), host);
    socket.pipe(upstream).pipe(socket);
    socket.on('error', () => upstream.destroy());
    upstream.on('error', () => socket.destroy());
  });
  const port = await new Promise<number>((resolve) => {
    proxy.listen(0, '127.0.0.1', () => resolve((proxy.address() as { port: number }).port));
  });
  resources.defer('close the proxy', () => void proxy.close());
  const server = await startProvisionServer(resources);
  server.useImage(`http://127.0.0.1:${port}/os/tiny:1`);
  const machine = server.machine();
  const { provisionUuid } = server.service.queue(machine.uuid);
  await server.service.settled();
  const waiting = server.run(machine.uuid, provisionUuid);
  assert.equal(waiting.status, 'queued');
  assert.match(waiting.current_message, new RegExp(`127\\.0\\.0\\.1:${port} cannot be reached.*asking again in 3 s`));
  const askedBefore = asked;
  await server.service.tick();
  await server.service.settled();
  assert.equal(asked, askedBefore, 'not before its time');
  server.clock.advance(3000);
  await server.service.tick();
  await server.service.settled();
  assert.ok(asked > askedBefore);
  assert.match(server.run(machine.uuid, provisionUuid).current_message, /asking again in 5 s/);
  isUp = true;
  server.clock.advance(5000);
  await server.service.tick();
  await server.service.settled();
  const ready = server.run(machine.uuid, provisionUuid);
  assert.deepEqual([ready.status, ready.image_digest], ['queued', image.digest]);
  await machine.bootInstaller();
  await machine.take();
  assert.equal(server.run(machine.uuid, provisionUuid).status, 'in_progress');
});

test('a tag that is not there, and a registry that refuses us, are errors at once', async () => {
  await using resources = new Resources();
  const registry = await startRegistry(resources);
  const server = await startProvisionServer(resources);
  server.useImage(`http://${registry.host}/os/none:1`);
  const machine = server.machine();
  const outcome = async (): Promise<unknown[]> => {
    const { provisionUuid } = server.service.queue(machine.uuid);
    await server.service.settled();
    const run = server.run(machine.uuid, provisionUuid);
    assert.ok(run.error_message !== '' && run.is_terminal && !run.is_active);
    return [run.status, run.error_code, run.disk_state];
  };
  assert.deepEqual(await outcome(), ['error', 'image_not_found', 'untouched']);
  const refusing = createHttpServer((_request, response) => {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
  });
  const closed = await listenOnLoopback(resources, refusing);
  server.useImage(`http://${closed.host}/os/tiny:1`);
  assert.deepEqual(await outcome(), ['error', 'registry_auth', 'untouched']);
});

test('a role that cannot be rendered ends the run as render_failed with role, line and message', async () => {
  await using resources = new Resources();
  const registry = await startRegistry(resources);
  const server = await startProvisionServer(resources, {
    renderMachine: async () => {
      throw new RenderError('web', 3, 'the secret DB_PASSWORD is not defined');
    },
  });
  server.useImage(`http://${await registry.push((await tinyImage(resources)).reference, 'os/tiny:1')}`);
  const machine = server.machine();
  await machine.bootInstaller();
  const { provisionUuid } = server.service.queue(machine.uuid);
  await server.service.settled();
  const run = server.run(machine.uuid, provisionUuid);
  assert.deepEqual(
    [run.status, run.error_message],
    ['render_failed', 'role web, line 3: the secret DB_PASSWORD is not defined'],
  );
  assert.deepEqual(server.commands.list(machine.uuid), []);
});

test('a server that stops while it asks a registry leaves the run to the next', async () => {
  await using resources = new Resources();
  const silent = createServer((socket) => socket.on('error', () => undefined));
  const port = await new Promise<number>((resolve) => {
    silent.listen(0, '127.0.0.1', () => resolve((silent.address() as { port: number }).port));
  });
  resources.defer('close the silent registry', () => void silent.close());
  const first = await startProvisionServer(resources);
  first.useImage(`http://127.0.0.1:${port}/os/tiny:1`);
  const machine = first.machine();
  const { provisionUuid } = first.service.queue(machine.uuid);
  await first.stop();
  const next = await startProvisionServer(resources, { after: first });
  const left = next.run(machine.uuid, provisionUuid);
  assert.deepEqual([left.status, left.current_message], ['queued', 'looking up the digest of the image']);
  await next.service.tick();
  assert.equal(next.run(machine.uuid, provisionUuid).status, 'queued');
});
