import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { installedHandlers } from '../../../agent/commands/installed-handlers.ts';
import { writeIdentity } from '../../../agent/identity/write-identity.ts';
import type { Ways } from '../../../agent/reentry/choose-way.ts';
import type { OneShotFiles } from '../../../agent/reentry/one-shot.ts';
import { readReentryRecord } from '../../../agent/reentry/reentry-record.ts';
import { takeBackReentry } from '../../../agent/reentry/take-back.ts';
import { ProvisionError } from '../../../core/base/errors.ts';
import { silentLogger } from '../../../core/base/logger.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { parseKernelParameters } from '../../../protocol/kernel-parameters.ts';
import { newIdentity, noLink, type RunningAgent, startAgent } from '../../builders/agent-fixture.ts';
import { startInstaller } from '../../builders/installer-fixture.ts';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import { insertTestMachine, makeTestIdentity } from '../../builders/test-agent.ts';
import { Resources, waitFor } from '../../resources.ts';

const refused = async (): Promise<never> => {
  throw new ProvisionError('installer_unreachable', 'not in this test');
};
/** No way at all; each test gives those that it needs. */
const noWays: Ways = {
  kexec: async () => 'no kexec in this test',
  ...{ firmware: refused, grub: refused, network: refused },
  unload: async () => undefined,
};

interface Machine {
  readonly server: TestServer;
  readonly stateDir: string;
  readonly uuid: string;
  readonly left: string[];
  readonly unloaded: () => number;
  /** Starts the agent of the installed system, as after a start of the machine with this boot id. */
  boot(bootId: string, ways?: Partial<Ways>, options?: { farewellMs?: number; sysDir?: string }): Promise<RunningAgent>;
  give(kind: string, args?: object): Promise<string>;
  outcome(commandUuid: string): Promise<{ status: unknown; reason: unknown }>;
}

async function startMachine(resources: Resources): Promise<Machine> {
  const assetsDir = resources.tempDir();
  writeFileSync(join(assetsDir, 'vmlinuz'), randomBytes(500_000));
  const server = await startTestServer(resources, { settings: { assetsDir } });
  const identity = newIdentity();
  const uuid = identity.machine_uuid;
  insertTestMachine(server.context, { ...makeTestIdentity(uuid), publicKey: identity.public_key.x });
  const stateDir = resources.tempDir();
  writeIdentity(join(stateDir, 'identity.json'), identity);
  const runDir = join(resources.tempDir(), 'run');
  const commandLineFile = join(resources.tempDir(), 'cmdline');
  writeFileSync(commandLineFile, 'BOOT_IMAGE=/vmlinuz root=UUID=x quiet console=tty0 console=ttyS1,57600n8\n');
  const left: string[] = [];
  let unloadCount = 0;
  const path = `/api/provisioning/machines/${uuid}/commands/`;
  return {
    ...{ server, stateDir, uuid, left },
    unloaded: () => unloadCount,
    boot: async (bootId, ways = {}, { farewellMs = 10_000, sysDir = '/nowhere' } = {}) => {
      const unload = async (): Promise<void> => {
        unloadCount += 1;
      };
      const returned = await takeBackReentry({ stateDir, runDir, log: silentLogger, unload });
      const config = { server: server.url, pin: server.pin };
      const places = { stateDir, runDir, commandLineFile, sysDir };
      const reentry = { ...places, config, log: silentLogger, returned, farewellMs, readLink: noLink };
      const leave = async (how: string): Promise<void> => void left.push(how);
      const handlers = installedHandlers({
        leave,
        goingDownMs: 60_000,
        reentry: { ...reentry, ways: { ...noWays, unload, ...ways } },
      });
      return await startAgent(resources, { config, identity, handlers, stateDir, bootId });
    },
    give: async (kind, args = {}) => String((await server.api('POST', path, { kind, args })).body['uuid']),
    outcome: async (commandUuid) =>
      await waitFor('the outcome', async () => {
        const { body } = await server.api('GET', `${path}${commandUuid}`);
        return body['is_terminal'] === true && { status: body['status'], reason: body['reason'] };
      }),
  };
}

test('the installed system hands over to the installer, which is the same machine and ends the command', async () => {
  await using resources = new Resources();
  const machine = await startMachine(resources);
  const { server, left, stateDir } = machine;
  let loaded: OneShotFiles | undefined;
  const agent = await machine.boot(randomUUID(), {
    kexec: async (files, { note }) => {
      note('kexec', { grubDir: null, espPartUuid: null });
      loaded = files;
      return null;
    },
  });
  const commandUuid = await machine.give('EnterInstaller');
  await waitFor('the machine to leave', () => left.length === 1);
  assert.deepEqual(left, ['kexec']);
  assert.equal(agent.outbox.size, 0, 'the server has everything');
  const { body: now } = await server.api('GET', `/api/provisioning/machines/${machine.uuid}/commands/${commandUuid}`);
  assert.deepEqual(
    [now['status'], now['reason']],
    ['accepted', 'starting the installer: its kernel was loaded (kexec)'],
  );
  // The machine goes down.
  await agent.stop();
  assert.ok(loaded !== undefined);
  assert.deepEqual(readFileSync(loaded.installer.path).length, 500_000);
  assert.doesNotMatch(loaded.commandLine, /token/);
  assert.match(loaded.commandLine, /^console=tty0 console=ttyS1,57600n8 durantic\.server=/);
  const { parameters, problems, unknown } = parseKernelParameters(loaded.commandLine);
  assert.deepEqual([problems, unknown], [[], []]);
  assert.deepEqual([parameters.server, parameters.pin], [server.url, server.pin]);
  assert.equal(readReentryRecord(stateDir)?.has_left, true, 'for the old system, should it come back');

  const dir = resources.tempDir();
  await runCommand('cpio', ['-idm', '--quiet'], { input: loaded.initrd, cwd: dir });
  assert.deepEqual(readdirSync(join(dir, 'durantic/carried')).sort(), ['commands.json', 'identity.json']);
  renameSync(join(dir, 'durantic/carried'), join(dir, 'carried'));
  const installer = await startInstaller(resources, { commandLine: loaded.commandLine, dir });
  await installer.event('connected', ({ isConnected }) => isConnected);
  assert.equal((await installer.event('identity')).origin, 'carried');
  // The hello alone proves it, before the agent says so from its memory; the way that was taken stays readable.
  const reason = 'starting the installer: its kernel was loaded (kexec); the machine is in the installer';
  assert.deepEqual(await machine.outcome(commandUuid), { status: 'done', reason });
  await installer.stop();

  // Back in the old system: what it says to the command comes late, and what was prepared is gone.
  const back = await machine.boot(randomUUID());
  await back.event('connected');
  assert.equal(readReentryRecord(stateDir), null);
  await waitFor('the late reply', () => back.outbox.size === 0);
  assert.equal((await machine.outcome(commandUuid)).status, 'done');
});

test('the old system comes back: the command fails with the way that was taken', async () => {
  await using resources = new Resources();
  const machine = await startMachine(resources);
  const firmware: Ways['firmware'] = async (_files, { note }) => {
    note('firmware', { grubDir: null, espPartUuid: null });
    return 'the firmware was told to start it once (entry 0007)';
  };
  const agent = await machine.boot(randomUUID(), { firmware });
  const commandUuid = await machine.give('EnterInstaller', { kexec: 'never' });
  await waitFor('the machine to leave', () => machine.left.length === 1);
  assert.deepEqual(machine.left, ['reboot']);
  await agent.stop();
  await machine.boot(randomUUID());
  const { status, reason } = await machine.outcome(commandUuid);
  assert.equal(status, 'failed');
  assert.match(
    String(reason),
    /its old system is back \(the firmware was told to start it once \(entry 0007\); kexec was not wanted\)/,
  );
  assert.equal(readReentryRecord(machine.stateDir), null);
});

test('no way in: the command fails with what stands against each, and the machine stays', async () => {
  await using resources = new Resources();
  const machine = await startMachine(resources);
  await machine.boot(randomUUID());
  const { status, reason } = await machine.outcome(await machine.give('EnterInstaller'));
  assert.equal(status, 'failed');
  assert.match(
    String(reason),
    /no way into the installer.*not by kexec: no kexec in this test; not by the firmware: .*; not by GRUB: .*; not by network boot: .*\[installer_unreachable\]$/,
  );
  assert.deepEqual(machine.left, []);
  assert.equal(readReentryRecord(machine.stateDir), null);
});

test('F55 with Secure Boot on, the command is rejected before anything is fetched or written', async () => {
  await using resources = new Resources();
  const machine = await startMachine(resources);
  const sysDir = resources.tempDir();
  const variables = join(sysDir, 'firmware/efi/efivars');
  mkdirSync(variables, { recursive: true });
  writeFileSync(join(variables, 'SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c'), Buffer.from([6, 0, 0, 0, 1]));
  await machine.boot(randomUUID(), { kexec: async () => null }, { sysDir });
  const { status, reason } = await machine.outcome(await machine.give('EnterInstaller'));
  assert.equal(status, 'rejected');
  assert.match(String(reason), /^Secure Boot is on, the installer is not signed by an enrolled key/);
  assert.ok(!existsSync(join(machine.stateDir, 'installer')));
  assert.deepEqual(machine.left, []);
});

test('F62 a server that is away when the machine would leave: it stays, takes everything back, and keeps its reports', async () => {
  await using resources = new Resources();
  const machine = await startMachine(resources);
  const { server } = machine;
  let agent: RunningAgent | undefined;
  const kexec: Ways['kexec'] = async (_files, { note }) => {
    note('kexec', { grubDir: null, espPartUuid: null });
    await server.close();
    agent?.context.report({ type: 'log', command_uuid: null, lines: ['what the server lacks'] });
    return null;
  };
  agent = await machine.boot(randomUUID(), { kexec }, { farewellMs: 300 });
  const commandUuid = await machine.give('EnterInstaller');
  const ended = await agent.event('command_ended');
  assert.equal(ended.commandUuid, commandUuid);
  assert.match(String(ended.reason), /has not acknowledged everything.*\[server_unreachable\]$/);
  assert.deepEqual(machine.left, []);
  assert.equal(machine.unloaded(), 1, 'the loaded kernel is taken out');
  assert.equal(readReentryRecord(machine.stateDir), null);
  await agent.stop();
  const kept = readdirSync(join(machine.stateDir, 'outbox')).map((name) =>
    readFileSync(join(machine.stateDir, 'outbox', name), 'utf8'),
  );
  assert.match(kept.join(''), /what the server lacks/);
});

test('an agent that is stopped after the machine was told to go down takes nothing back; before, it does', async () => {
  for (const isLeaving of [true, false]) {
    await using resources = new Resources();
    const machine = await startMachine(resources);
    const waiting = Promise.withResolvers<void>();
    const kexec: Ways['kexec'] = async (_files, { note, signal }) => {
      note('kexec', { grubDir: null, espPartUuid: null });
      waiting.resolve();
      if (isLeaving) return null;
      return await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    const agent = await machine.boot('boot-1', { kexec });
    const commandUuid = await machine.give('EnterInstaller');
    await waiting.promise;
    if (isLeaving) await waitFor('the machine to leave', () => machine.left.length === 1);
    await agent.stop();
    assert.equal(machine.unloaded(), isLeaving ? 0 : 1);
    assert.equal(readReentryRecord(machine.stateDir)?.has_left ?? null, isLeaving ? true : null);
    await machine.boot('boot-1');
    const { status, reason } = await machine.outcome(commandUuid);
    assert.deepEqual([status, machine.unloaded()], ['failed', 1]);
    assert.match(String(reason), /the agent was started again before the machine had left/);
    rmSync(machine.stateDir, { recursive: true, force: true });
  }
});
