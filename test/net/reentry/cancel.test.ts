import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { installedHandlers } from '../../../agent/commands/installed-handlers.ts';
import { writeIdentity } from '../../../agent/identity/write-identity.ts';
import type { Ways } from '../../../agent/reentry/choose-way.ts';
import { readReentryRecord } from '../../../agent/reentry/reentry-record.ts';
import { readServerLink } from '../../../agent/reentry/server-link.ts';
import { ProvisionError } from '../../../core/base/errors.ts';
import { silentLogger } from '../../../core/base/logger.ts';
import { newIdentity, noLink } from '../../builders/agent-fixture.ts';
import { startTestServer } from '../../builders/server.ts';
import { Resources, waitFor } from '../../resources.ts';
import { command, open } from '../../unit/agent/commands/desk-fixture.ts';

const provisionArgs = (provisionUuid: string, kexec: boolean) => ({
  provision_uuid: provisionUuid,
  image: { reference: 'r', digest: 'd', platform: 'linux/amd64' },
  ...{ credentials: null, registry_ca: null, proxy: null, target_disk: null, user_data: 'secret-user-data' },
  ...{ meta_data: null, vendor_data: null, network_config: null, hostname: null, append_karg: [] },
  ...{ inject_agent: true, agent_config: null, kexec_installer: kexec, boot: 'auto', read_back: false },
});

/** The commands of an installed machine with a real server; what is reported stays in the outbox. */
async function start(resources: Resources, ways: Partial<Ways>, farewellMs: number, readLink = noLink) {
  const assetsDir = resources.tempDir();
  writeFileSync(join(assetsDir, 'vmlinuz'), randomBytes(100_000));
  const server = await startTestServer(resources, { settings: { assetsDir } });
  const stateDir = resources.tempDir();
  writeIdentity(join(stateDir, 'identity.json'), newIdentity());
  const left: string[] = [];
  let unloads = 0;
  const refused = async (): Promise<never> => {
    throw new ProvisionError('installer_unreachable', 'not in this test');
  };
  const unload = async (): Promise<void> => {
    unloads += 1;
  };
  const all: Ways = { kexec: async () => 'no', firmware: refused, grub: refused, network: refused, unload, ...ways };
  const handlers = installedHandlers({
    leave: async (how) => void left.push(how),
    goingDownMs: 50,
    reentry: {
      ...{ stateDir, runDir: join(stateDir, 'run'), log: silentLogger, returned: null, ways: all, farewellMs },
      config: { server: server.url, pin: server.pin },
      sysDir: '/nowhere',
      readLink,
    },
  });
  const desk = open(handlers, { path: join(stateDir, 'commands.json') });
  resources.defer('stop the desk', async () => await desk.desk.stop());
  return { ...desk, stateDir, left, unloads: () => unloads };
}

test('a run that is canceled on the way into the installer: everything is taken back, the machine stays', async () => {
  await using resources = new Resources();
  const reached = Promise.withResolvers<void>();
  const kexec: Ways['kexec'] = async (_files, { note, signal }) => {
    note('kexec', { grubDir: null, espPartUuid: null });
    reached.resolve();
    return await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  const { desk, replies, stateDir, left, unloads } = await start(resources, { kexec }, 60_000);
  const provisionUuid = randomUUID();
  const provision = command('ProvisionMachine', provisionArgs(provisionUuid, true));
  desk.take(provision);
  await reached.promise;
  const other = command('CancelProvision', { provision_uuid: randomUUID() });
  desk.take(other);
  await waitFor('the refusal', () => replies(other.command_uuid).length === 2);
  assert.match(replies(other.command_uuid)[1] ?? '', /^failed no installation runs on the installed system/);
  const cancel = command('CancelProvision', { provision_uuid: provisionUuid });
  desk.take(cancel);
  await waitFor('the outcome', () => replies(cancel.command_uuid).length === 2);
  assert.match(replies(cancel.command_uuid)[1] ?? '', /^done canceled\. /);
  assert.match(replies(provision.command_uuid).at(-1) ?? '', /^failed an operator has canceled/);
  assert.deepEqual([left, unloads(), readReentryRecord(stateDir)], [[], 1, null]);
});

test('kexec_installer of the machine decides whether kexec is tried; nothing secret is kept or told', async () => {
  await using resources = new Resources();
  for (const isWanted of [true, false]) {
    const tried: string[] = [];
    const ways: Partial<Ways> = {
      kexec: async () => {
        tried.push('kexec');
        return 'the kernel is locked down (integrity)';
      },
      grub: async ({ commandLine }) => {
        tried.push(commandLine);
        throw new ProvisionError('installer_unreachable', 'the system has no grub.cfg');
      },
    };
    const { desk, replies, ledger } = await start(resources, ways, 10);
    const provision = command('ProvisionMachine', provisionArgs(randomUUID(), isWanted));
    desk.take(provision);
    await waitFor('the outcome', () => replies(provision.command_uuid).some((reply) => reply.startsWith('failed')));
    const all = replies(provision.command_uuid);
    assert.equal(tried.includes('kexec'), isWanted);
    assert.match(all.at(-1) ?? '', isWanted ? /not by kexec: the kernel is locked down/ : /kexec was not wanted/);
    assert.deepEqual(all.slice(1, 3), [
      'accepted looking how this system reaches the server',
      'accepted asking the server for its installer',
    ]);
    assert.doesNotMatch(JSON.stringify([tried, all, ledger.open()]), /secret-user-data/);
  }
});

test('a machine that does not go down in its time says so, and everything is taken back', async () => {
  await using resources = new Resources();
  const kexec: Ways['kexec'] = async (_files, { note }) => {
    note('kexec', { grubDir: null, espPartUuid: null });
    return null;
  };
  const { desk, outbox, events, stateDir, left, unloads } = await start(resources, { kexec }, 10_000);
  outbox.onChange(() => {
    if (outbox.size > 0) setImmediate(() => outbox.acknowledge(outbox.bootId, outbox.lastSeq));
  });
  desk.take(command('EnterInstaller', { kexec: 'auto' }));
  const ended = await waitFor('the outcome', () => events.find(({ kind }) => kind === 'command_ended'));
  assert.match(JSON.stringify(ended), /the machine still runs .* after it was told to go down/);
  assert.deepEqual([left, unloads(), readReentryRecord(stateDir)], [['kexec'], 1, null]);
});

test('a server on this very machine is gone in the installer: the command fails before anything is fetched', async () => {
  await using resources = new Resources();
  const kexec: Ways['kexec'] = async () => null;
  const { desk, replies, stateDir, left } = await start(resources, { kexec }, 60_000, readServerLink);
  const enter = command('EnterInstaller', { kexec: 'auto' });
  desk.take(enter);
  await waitFor('the outcome', () => replies(enter.command_uuid).at(-1)?.startsWith('failed'));
  assert.match(
    replies(enter.command_uuid).at(-1) ?? '',
    /reaches its server at 127\.0\.0\.1, which is this system itself .*agent\.yaml/,
  );
  assert.deepEqual([existsSync(join(stateDir, 'installer')), left], [false, []]);
});
