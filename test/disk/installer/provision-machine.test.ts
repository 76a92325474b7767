import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readDisk } from '../../../agent/hardware/read-disk.ts';
import { readProvisionRecord } from '../../../agent/identity/provision-record.ts';
import { readIdentity } from '../../../agent/identity/read-identity.ts';
import { openOutbox } from '../../../agent/link/outbox-folder.ts';
import type { Provision } from '../../../protocol/api/provisions.ts';
import { makeBootDisk, smallestSystem, writeBootImage } from '../../builders/boot-image.ts';
import { checkInstalledDisk, mountInstalledRoot, openInstalledDisk } from '../../builders/installed-disk.ts';
import { fastInstaller, type StartedInstaller, startInstaller } from '../../builders/installer-fixture.ts';
import { startRegistry } from '../../builders/registry.ts';
import { elfFile } from '../../builders/rootfs-tree.ts';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import type { RawEntry } from '../../builders/tar-builder.ts';
import { Resources, waitFor } from '../../resources.ts';

const gib = 1024 ** 3;
const resources = new Resources();
after(() => resources[Symbol.asyncDispose]());

const loader = '/lib64/ld-linux-x86-64.so.2';
/** What the agent needs to be injected: glibc and systemd, as far as files tell. */
const agentHost: readonly RawEntry[] = [
  { name: 'bin/sh', mode: 0o755, data: elfFile({ interpreter: loader }) },
  { name: loader.slice(1), mode: 0o755, data: elfFile() },
  ...['libstdc++.so.6', 'libgcc_s.so.1'].map((name) => ({ name: `usr/lib/${name}`, data: elfFile() })),
  { name: 'usr/lib/libc.so.6', data: elfFile({ text: 'GNU C Library stable release version 2.36.\n' }) },
  { name: 'usr/lib/systemd/systemd', mode: 0o755, data: elfFile() },
  { name: 'sbin/init', typeflag: '2', linkName: '../usr/lib/systemd/systemd' },
];

let image = '';
let bundle = '';
before(async () => {
  const disk = await makeBootDisk(resources);
  const layout = await writeBootImage(resources, { disk, system: [...smallestSystem, ...agentHost] });
  const registry = await startRegistry(resources);
  image = `http://${await registry.push(layout.reference, 'os/small:1')}`;
  bundle = writeBundle();
});

function writeBundle(): string {
  const dir = resources.tempDir();
  const data = 'the program';
  const sha256 = createHash('sha256').update(data).digest('hex');
  const program = { path: 'durantic', sha256, bytes: data.length, mode: '0755', role: 'program', glibc: '2.28' };
  writeFileSync(join(dir, 'durantic'), data);
  const manifest = { format: 1, name: 'durantic', version: '9.9.9', commit: 'abc', node: '26.0.0' };
  const files = [{ ...program, licence: 'Apache-2.0' }];
  writeFileSync(join(dir, 'manifest.json'), JSON.stringify({ ...manifest, platform: 'linux-x64', files }));
  return dir;
}

interface Machine {
  readonly server: TestServer;
  readonly installer: StartedInstaller;
  readonly uuid: string;
  provision(): Promise<string>;
  run(provisionUuid: string): Promise<Provision>;
  /** Waits until the run is as wanted. */
  reached(provisionUuid: string, isWanted: (run: Provision) => boolean): Promise<Provision>;
}

/** A server with the image as its default, and a machine in the installer whose target is this. */
async function startMachine(
  own: Resources,
  target: string,
  timings: { farewellMs?: number; diskWaitMs?: number } = {},
): Promise<Machine> {
  const server = await startTestServer(own);
  const { body: made } = await server.api('POST', '/api/provisioning/images/', {
    name: 'small',
    docker_image_url: image,
  });
  await server.api('PATCH', '/api/controlplane/account', { default_image_uuid: made['uuid'] });
  const { body } = await server.api<{ token: string }>('POST', '/api/provisioning/bootstrap-tokens/', {});
  const installer = await startInstaller(own, {
    commandLine: `durantic.server=${server.url} durantic.pin=${server.pin} durantic.token=${body.token}`,
    agentBundle: bundle,
    timings: { ...fastInstaller, command: { ...fastInstaller.command, ...timings } },
  });
  const { machineUuid: uuid } = await installer.event('enrolled');
  const path = `/api/provisioning/machines/${uuid}`;
  const { status } = await server.api('PATCH', path, { target_disk: target });
  assert.equal(status, 200);
  const run = async (provisionUuid: string): Promise<Provision> =>
    (await server.api<Provision>('GET', `${path}/provisions/${provisionUuid}`)).body;
  return {
    ...{ server, installer, uuid, run },
    provision: async () => {
      const reply = await server.api<{ provision_uuid: string }>('POST', `${path}/provision`, { mode: 'rebuild' });
      assert.equal(reply.status, 200, JSON.stringify(reply.body));
      return reply.body.provision_uuid;
    },
    reached: async (provisionUuid, isWanted) =>
      await waitFor(
        'the run',
        async () => {
          const now = await run(provisionUuid);
          return isWanted(now) ? now : undefined;
        },
        { timeoutMs: 90_000 },
      ),
  };
}

test('F20 F57 a failed run leaves the installer reachable; the next one waits for a late disk and installs it with identity, agent and network, by which it is known again', async () => {
  await using own = new Resources();
  const link = join(own.tempDir(), 'late-disk');
  const machine = await startMachine(own, 'serial:THERE-IS-NONE', { diskWaitMs: 0 });
  const { server, installer, uuid } = machine;

  const failedUuid = await machine.provision();
  const failed = await machine.reached(failedUuid, ({ is_terminal }) => is_terminal);
  assert.equal(failed.status, 'error');
  assert.equal(failed.error_code, 'target_not_found');
  assert.equal(failed.disk_state, 'untouched');
  const shown = await installer.event('provision', ({ event }) => event.step === null && event.state === 'failed');
  assert.match(shown.event.message, /no disk is "serial:THERE-IS-NONE"/);
  assert.deepEqual(installer.left, []);
  await installer.stop();

  // Started again after a crash, in the same boot: the same machine, with a target that comes late.
  const again = await startInstaller(own, {
    commandLine: `durantic.server=${server.url} durantic.pin=${server.pin}`,
    dir: join(installer.places.runDir, '..'),
    agentBundle: bundle,
    timings: { ...fastInstaller, command: { farewellMs: 5000, diskWaitMs: 60_000 } },
  });
  await again.event('connected', ({ isConnected }) => isConnected);
  assert.equal((await again.event('enrolled')).machineUuid, uuid);
  await server.api('PATCH', `/api/provisioning/machines/${uuid}`, { target_disk: link });
  const provisionUuid = await machine.provision();
  const waiting = await again.event('provision', ({ event }) => event.state === 'warning');
  assert.match(waiting.event.message, /^waiting up to 60 s for the disk to appear: .*late-disk does not exist/);
  const file = own.sparseFile(2 * gib);
  const device = await own.loop(file);
  symlinkSync(device, link);

  await waitFor('the departure', () => again.left.length > 0, { timeoutMs: 90_000 });
  assert.deepEqual(again.left, ['reboot']);
  const booting = await machine.reached(provisionUuid, ({ current_step }) => current_step === 'booting');
  assert.equal(booting.disk_state, 'complete');
  assert.equal(booting.status, 'in_progress', 'only the installed system completes it');
  const { body: commands } = await server.api<{ kind: string; status: string }[]>(
    'GET',
    `/api/provisioning/machines/${uuid}/commands/`,
  );
  assert.equal(commands.findLast(({ kind }) => kind === 'ProvisionMachine')?.status, 'done');

  const disk = await openInstalledDisk(own, file);
  await checkInstalledDisk(disk);
  const root = await mountInstalledRoot(own, disk);
  const state = join(root, 'var/lib/durantic');
  assert.equal(readIdentity(join(state, 'identity.json'))?.machine_uuid, uuid);
  assert.deepEqual(
    readIdentity(join(state, 'identity.json')),
    readIdentity(join(again.places.stateDir, 'identity.json')),
  );
  assert.equal(statSync(join(state, 'identity.json')).mode & 0o777, 0o600);
  assert.equal(readProvisionRecord(join(state, 'provision.json'))?.provision_uuid, provisionUuid);
  const config = readFileSync(join(root, 'etc/durantic/agent.yaml'), 'utf8');
  assert.ok(config.includes(server.pin) && config.includes(server.url));
  const network = readFileSync(join(root, 'var/lib/cloud/seed/nocloud/network-config'), 'utf8');
  assert.match(network, /macaddress: "52:54:00:ab:cd:ef"/);
  assert.match(network, /dhcp-identifier: "mac"/, 'F18');
  assert.ok(!existsSync(join(state, 'outbox')), 'the server had everything');

  // The next installer on this machine knows nothing, finds the identity on the disk, and can boot what is there.
  await again.stop();
  const facts = await readDisk(disk.device);
  const found = await startInstaller(own, {
    commandLine: `durantic.server=${server.url} durantic.pin=${server.pin}`,
    parts: { listDisks: async () => [facts] },
  });
  await found.event('connected', ({ isConnected }) => isConnected);
  assert.match((await found.event('identity')).detail ?? '', new RegExp(`${disk.device}p\\d+ \\(installed 20`));
  assert.equal((await found.event('enrolled')).machineUuid, uuid);
  assert.ok(!found.events.some(({ kind }) => kind === 'enrolling'));
  const body = { kind: 'BootInstalledSystem', args: { kexec: 'never' } };
  await server.api('POST', `/api/provisioning/machines/${uuid}/commands/`, body);
  const booted = await found.event('command', ({ name, state }) => name === 'BootInstalledSystem' && state !== 'taken');
  assert.equal(booted.state, 'done', booted.reason ?? '');
  assert.match(booted.reason ?? '', new RegExp(`into the system on ${disk.device} by reboot: kexec was not wanted`));
  await waitFor('the departure', () => found.left.length > 0);
  assert.deepEqual(found.left, ['reboot']);
});

test('what the server has not acknowledged in time goes to the outbox of the installed system', async () => {
  await using own = new Resources();
  const file = own.sparseFile(2 * gib);
  const device = await own.loop(file);
  const machine = await startMachine(own, device, { farewellMs: 300 });
  const { server, installer } = machine;
  const provisionUuid = await machine.provision();
  await installer.event('provision', ({ event }) => event.step === 'layer_extraction', { timeoutMs: 60_000 });
  await server.close();
  await waitFor('the departure', () => installer.left.length > 0, { timeoutMs: 90_000 });
  assert.deepEqual(
    installer.events.filter(({ kind }) => kind === 'leaving'),
    [{ kind: 'leaving', how: 'reboot', detail: `into the system on ${device}` }],
  );
  const disk = await openInstalledDisk(own, file);
  await checkInstalledDisk(disk);
  const root = await mountInstalledRoot(own, disk);
  const folder = join(root, 'var/lib/durantic/outbox');
  assert.deepEqual(readdirSync(folder), ['00000001.ndjson']);
  assert.equal(statSync(join(folder, '00000001.ndjson')).mode & 0o777, 0o600);
  const copy = join(own.tempDir(), 'outbox');
  mkdirSync(copy);
  writeFileSync(join(copy, '00000001.ndjson'), readFileSync(join(folder, '00000001.ndjson')));
  const outbox = openOutbox({ dir: copy, bootId: 'the next boot', onProblem: (error) => assert.fail(error) });
  const frames = [...outbox.unsent(Symbol('none'))].map(({ frame }) => frame);
  const result = frames.find((frame) => frame.type === 'provision_result');
  assert.equal(result?.provision_uuid, provisionUuid);
  assert.equal(result?.outcome, 'booting');
  assert.ok(frames.some((frame) => frame.type === 'command_reply' && frame.state === 'done'));
});

test('CancelProvision ends a run that waits for its disk, and says what state the disk is in', async () => {
  await using own = new Resources();
  const machine = await startMachine(own, join(own.tempDir(), 'never'), { diskWaitMs: 60_000 });
  const { server, installer, uuid } = machine;
  const provisionUuid = await machine.provision();
  await installer.event('provision', ({ event }) => event.state === 'warning');
  const { status } = await server.api('POST', `/api/provisioning/machines/${uuid}/provisions/${provisionUuid}/cancel`);
  assert.equal(status, 200);
  const ended = await machine.reached(provisionUuid, ({ is_terminal }) => is_terminal);
  assert.equal(ended.status, 'canceled');
  assert.equal(ended.disk_state, 'untouched');
  const done = await installer.event('command', ({ name, state }) => name === 'CancelProvision' && state === 'done');
  assert.equal(done.reason, 'canceled. The disk was not touched.');
  assert.deepEqual(installer.left, []);
});
