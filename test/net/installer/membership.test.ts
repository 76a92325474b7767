import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeKeyPair } from '../../../agent/identity/make-identity.ts';
import { type MachineIdentity, readIdentity } from '../../../agent/identity/read-identity.ts';
import { type StartedInstaller, startInstaller } from '../../builders/installer-fixture.ts';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import { Resources, waitFor } from '../../resources.ts';
import { FakeSystem } from '../../unit/agent/hardware/fake-system.ts';

async function makeToken(server: TestServer): Promise<string> {
  const { body } = await server.api<{ token: string }>('POST', '/api/provisioning/bootstrap-tokens/', {});
  return body.token;
}

async function commandLineFor(server: TestServer): Promise<string> {
  return `durantic.server=${server.url} durantic.pin=${server.pin} durantic.token=${await makeToken(server)}`;
}

async function machineUuids(server: TestServer): Promise<string[]> {
  const { body } = await server.api<{ uuid: string }[]>('GET', '/api/provisioning/machines/');
  return body.map(({ uuid }) => uuid);
}

const isThere = ({ isConnected }: { isConnected: boolean }): boolean => isConnected;

/** An identity as the system before hands it over, and what else it carries. */
function carry(dir: string, identity: MachineIdentity, commands?: object): void {
  mkdirSync(join(dir, 'carried'), { recursive: true });
  writeFileSync(join(dir, 'carried/identity.json'), JSON.stringify(identity));
  if (commands !== undefined) writeFileSync(join(dir, 'carried/commands.json'), JSON.stringify(commands));
}

test('a machine that is power-cycled three times in discovery is one machine', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const system = new FakeSystem(resources);
  system.sys('class/dmi/id/product_uuid', '4c4c4544-0042-3510-8052-b4c04f330001\n');
  system.sys('class/dmi/id/board_serial', 'CN7475192F0001\n');
  for (const [path, text] of Object.entries({ type: '1', address: '52:54:00:00:00:01', addr_assign_type: '0' })) {
    system.sys(`class/net/eno1/${path}`, `${text}\n`);
  }
  system.sys('class/net/eno1/device/vendor', '0x8086\n');
  const commandLine = await commandLineFor(server);
  const uuids: string[] = [];
  for (let start = 0; start < 4; start += 1) {
    const installer = await startInstaller(resources, { commandLine, hardware: { roots: system.roots } });
    await installer.event('connected', isThere);
    uuids.push((await installer.event('enrolled')).machineUuid);
    await installer.stop();
  }
  assert.equal(new Set(uuids).size, 1);
  assert.deepEqual(await machineUuids(server), [uuids[0]]);
});

test('an identity that the old system hands over is deleted, used without enrolment, and its open commands get outcomes', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const first = await startInstaller(resources, { commandLine: await commandLineFor(server) });
  const { machineUuid } = await first.event('enrolled');
  await first.stop();
  const identity = readIdentity(join(first.places.stateDir, 'identity.json'));
  assert.ok(identity !== null);
  const path = `/api/provisioning/machines/${machineUuid}/commands/`;
  const { body: command } = await server.api('POST', path, { kind: 'EnterInstaller' });
  const dir = resources.tempDir();
  const entry = { command_uuid: command['uuid'], kind: 'EnterInstaller', issued_at: command['created_at'] };
  carry(dir, identity, {
    entries: [{ ...entry, boot_id: 'of the old system', state: 'accepted', reason: null }],
    newest: { system: command['created_at'] },
  });
  const commandLine = `durantic.server=${server.url} durantic.pin=${server.pin}`;
  const installer = await startInstaller(resources, { commandLine, dir });
  assert.ok(!existsSync(join(dir, 'carried')));
  await installer.event('connected', isThere);
  assert.equal((await installer.event('identity')).origin, 'carried');
  assert.ok(!installer.events.some(({ kind }) => kind === 'enrolling'));
  const done = await waitFor('the outcome', async () => {
    const { body } = await server.api('GET', `${path}${String(command['uuid'])}`);
    return body['is_terminal'] === true ? body : undefined;
  });
  assert.equal(done['status'], 'done');
});

test('a server that does not know the identity (4404) gets an enrolment with the same key', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const identity = { machine_uuid: randomUUID(), ...makeKeyPair() };
  const dir = resources.tempDir();
  carry(dir, identity);
  const installer = await startInstaller(resources, { commandLine: await commandLineFor(server), dir });
  await installer.trouble('machine_unknown');
  const { machineUuid } = await installer.event('enrolled');
  await installer.event('connected', isThere);
  assert.notEqual(machineUuid, identity.machine_uuid);
  const kept = readIdentity(join(installer.places.stateDir, 'identity.json'));
  assert.deepEqual(kept, { ...identity, machine_uuid: machineUuid });
});

test('a machine that is deleted at the server enrols again', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const installer = await startInstaller(resources, { commandLine: await commandLineFor(server) });
  const { machineUuid } = await installer.event('enrolled');
  await installer.event('connected', isThere);
  const { status } = await server.api('DELETE', `/api/provisioning/machines/${machineUuid}`);
  assert.equal(status, 204);
  const next = await installer.event('enrolled', (event) => event.machineUuid !== machineUuid);
  assert.deepEqual(await machineUuids(server), [next.machineUuid]);
});

async function giveCommand(
  server: TestServer,
  installer: StartedInstaller,
  body: object,
): Promise<Record<string, unknown>> {
  const { machineUuid } = await installer.event('enrolled');
  const path = `/api/provisioning/machines/${machineUuid}/commands/`;
  const { body: command, status } = await server.api('POST', path, body);
  assert.equal(status, 201);
  return await waitFor('the outcome of the command', async () => {
    const { body: now } = await server.api('GET', `${path}${String(command['uuid'])}`);
    return now['is_terminal'] === true ? now : undefined;
  });
}

test('Reboot and PowerOff are done at the server before the machine goes, and shown', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  for (const [kind, how] of [
    ['Reboot', 'reboot'],
    ['PowerOff', 'poweroff'],
  ] as const) {
    const installer = await startInstaller(resources, { commandLine: await commandLineFor(server) });
    assert.equal((await giveCommand(server, installer, { kind }))['status'], 'done');
    await waitFor('the departure', () => installer.left.length > 0);
    assert.deepEqual(installer.left, [how]);
    await installer.event('leaving', (event) => event.how === how);
    await installer.stop();
  }
});

test('what the installer does not do is rejected with the reason; without a system on any disk none is booted', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const installer = await startInstaller(resources, { commandLine: await commandLineFor(server) });
  const entered = await giveCommand(server, installer, { kind: 'EnterInstaller' });
  assert.deepEqual([entered['status'], entered['reason']], ['rejected', 'the installer is running already']);
  const args = { version: '1.2.3', url: 'https://x.example/y', sha256: 'a'.repeat(64) };
  const updated = await giveCommand(server, installer, { kind: 'UpdateAgent', args });
  assert.equal(updated['status'], 'rejected');
  assert.match(String(updated['reason']), /boot a newer one/);
  const booted = await giveCommand(server, installer, { kind: 'BootInstalledSystem' });
  assert.equal(booted['status'], 'failed');
  assert.match(String(booted['reason']), /no disk of this machine holds a system.*\[target_not_found\]/);
  assert.deepEqual(installer.left, []);
});

test('F27 CollectLogs brings the log of the installer, which like all its files holds no secret', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const token = await makeToken(server);
  const installer = await startInstaller(resources, {
    commandLine: `durantic.server=${server.url} durantic.pin=${server.pin} durantic.token=${token} durantic.debug durantic.tokn=${token}`,
  });
  const started = await installer.event('started');
  assert.deepEqual(started.parameterProblems, ['durantic.tokn is not a parameter that the installer knows']);
  const collected = await giveCommand(server, installer, { kind: 'CollectLogs' });
  assert.equal(collected['status'], 'done');
  const { machineUuid } = await installer.event('enrolled');
  const { body } = await server.api<{ entries: { lines: string[] }[] }>(
    'GET',
    `/api/provisioning/machines/${machineUuid}/logs/`,
  );
  const lines = body.entries.flatMap((entry) => entry.lines);
  assert.ok(lines.some((line) => line.includes('"event":"enrolled"')));
  assert.ok(lines.includes('== dmesg'));
  const files = readdirSync(installer.places.runDir, { recursive: true, withFileTypes: true });
  const texts = files
    .filter((file) => file.isFile())
    .map((file) => readFileSync(join(file.parentPath, file.name), 'utf8'));
  assert.ok(texts.length >= 2);
  for (const text of [...texts, JSON.stringify(installer.events), lines.join('\n')]) {
    assert.ok(!text.includes(token.slice(0, 24)));
  }
});

test('how the installer ended before is shown by the next start', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  mkdirSync(join(dir, 'run'));
  writeFileSync(join(dir, 'run/crash'), 'It ended with exit code 70 after 12 s.\nError: something\n');
  const installer = await startInstaller(resources, { commandLine: '', dir });
  assert.match((await installer.event('started')).crash ?? '', /exit code 70/);
});
