import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../../control-plane/http/api-error.ts';
import type { ProvisionHistoryEntry } from '../../../protocol/api/provisions.ts';
import { startInstallingRun, startQueuedRun } from '../../builders/installing-run.ts';
import { startProvisionServer } from '../../builders/provision-server.ts';
import { minuteMs } from '../../builders/run-inputs.ts';
import { Resources } from '../../resources.ts';

/** What the server noted as the end of a run; there must be exactly one. */
function endsIn(history: readonly ProvisionHistoryEntry[]): unknown[] {
  const active = new Set<unknown>(['queued', 'in_progress']);
  return history
    .filter(({ kind, event }) => kind === 'server' && !active.has(event['status']))
    .map(({ event }) => event['status']);
}

test('a run is completed when the installed system is there and cloud-init has ended', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, commandUuid, run } = await startInstallingRun(resources);
  assert.deepEqual([run().status, run().current_step], ['in_progress', 'entering_installer']);
  assert.equal(server.describe(machine.uuid).provision_state, 'Installing');
  await machine.tell(uuid, { step: 'layer_extraction', percent: 41.9, bytes_done: 5, bytes_total: 9, rate_bps: 3.5 });
  const { progress_percent, bytes_done, bytes_total, rate_bps, current_step } = run();
  assert.deepEqual(
    [progress_percent, bytes_done, bytes_total, rate_bps, current_step],
    [41, 5, 9, 3.5, 'layer_extraction'],
  );
  await machine.install(uuid);
  assert.deepEqual([run().status, run().current_step, run().disk_state], ['in_progress', 'booting', 'complete']);
  assert.equal(server.service.buildArgs(uuid), null, 'there is nothing left to install');
  assert.equal(server.describe(machine.uuid).install_until, null, 'its next network boot must not install again');
  machine.off();
  server.clock.advance(4 * minuteMs);
  const installed = await machine.bootInstalled(uuid);
  assert.equal(installed.all('command').length, 0, 'an installed system must never be told to install again');
  assert.deepEqual([run().status, run().current_step], ['in_progress', 'cloud_init']);
  await machine.cloudInit(uuid, 'done');
  assert.deepEqual([run().status, run().progress_percent, run().error_message], ['completed', 100, '']);
  assert.ok(run().started_at !== null && run().completed_at !== null && run().hello_at !== null);
  const now = server.describe(machine.uuid);
  assert.deepEqual(
    [now.is_online, now.is_in_initrd, now.needs_provisioning, now.provision_state, now.installed_provision_uuid],
    [true, false, false, 'Installed', uuid],
  );
  assert.equal(server.commands.get(machine.uuid, commandUuid)?.status, 'done');
  const sealed = server.context.db.prepare('SELECT user_data_sealed FROM provisions').get();
  assert.equal(sealed?.['user_data_sealed'], null, 'the secrets of a run that is over are gone');
  assert.deepEqual(endsIn(server.history(uuid)), ['completed']);
});

test('cloud-init errors make the run degraded: installed, and still in need of a run', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startInstallingRun(resources);
  await machine.install(uuid);
  await machine.bootInstalled(uuid);
  await machine.cloudInit(uuid, 'error', ['module users failed']);
  assert.deepEqual([run().status, run().error_code], ['degraded', 'cloud_init_errors']);
  assert.match(run().error_message, /module users failed/);
  assert.deepEqual(
    [server.describe(machine.uuid).needs_provisioning, server.describe(machine.uuid).provision_state],
    [true, 'Installed'],
  );
});

test('events are stored once; repeated and late ones change nothing', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startInstallingRun(resources);
  const frame = { boot_id: machine.agent.bootId, seq: 100, ...machine.eventFrame(uuid, { percent: 50 }) };
  machine.agent.send(frame);
  machine.agent.send(frame);
  await machine.agent.acknowledged(100);
  const ofAgent = (): number => server.history(uuid).filter(({ kind }) => kind === 'provision_event').length;
  assert.equal(ofAgent(), 1);
  const failed = { step: null, state: 'failed', code: 'device_io', message: 'EIO', disk_state: 'erased' } as const;
  const last = { boot_id: machine.agent.bootId, seq: 101, ...machine.eventFrame(uuid, failed) };
  machine.agent.send(last);
  await machine.agent.acknowledged(101);
  const ended = run();
  assert.deepEqual(
    [ended.status, ended.error_code, ended.error_message, ended.disk_state],
    ['error', 'device_io', 'EIO', 'erased'],
  );
  machine.agent.send({ boot_id: machine.agent.bootId, seq: 102, ...machine.eventFrame(uuid, { percent: 90 }) });
  await machine.agent.acknowledged(102);
  await machine.bootInstalled(uuid);
  await machine.cloudInit(uuid, 'done');
  assert.deepEqual(run(), ended);
  assert.equal(ofAgent(), 3, 'what came late is in the history');
  assert.deepEqual(endsIn(server.history(uuid)), ['error']);
});

test('a long message is shown short and kept whole', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startInstallingRun(resources);
  const message = 'x'.repeat(100_000);
  await machine.tell(uuid, { message });
  assert.equal(run().current_message.length, 2000);
  assert.equal(server.history(uuid).at(-1)?.event['message'], message);
});

test('a system that comes after its run was given up is installed all the same', async () => {
  await using resources = new Resources();
  const { server, machine, uuid } = await startInstallingRun(resources);
  await machine.result(uuid, 'failed');
  const wasInstalled = () => server.context.db.prepare('SELECT was_installed FROM machines').get()?.['was_installed'];
  assert.equal(wasInstalled(), 0);
  await machine.bootInstalled(uuid);
  assert.equal(wasInstalled(), 1, 'its key must not be replaced as that of a machine that was never installed');
});

test('a machine cannot speak of the run of another', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startInstallingRun(resources);
  const before = run();
  const other = server.machine();
  await other.bootInstaller();
  await other.result(uuid, 'failed');
  await other.tell(uuid, { percent: 99 });
  await other.bootInstalled(uuid);
  await other.cloudInit(uuid, 'done');
  assert.deepEqual(run(), before);
  assert.equal(machine.agent.end, null);
});

test('a server that is started again in the middle goes on, and counts no silence of its own', async () => {
  await using resources = new Resources();
  const first = await startInstallingRun(resources);
  const { machine, uuid } = first;
  await machine.tell(uuid, { percent: 30 });
  await first.server.stop();
  first.server.clock.advance(3 * 60 * minuteMs);
  const server = await startProvisionServer(resources, { after: first.server });
  await server.service.tick();
  assert.equal(server.run(machine.uuid, uuid).status, 'in_progress');
  const again = server.machine(machine.identity);
  const agent = await again.boot({ mode: 'installer', boot_id: machine.agent.bootId, last_event_seq: 2 });
  const resent = await agent.next('command');
  assert.equal(resent.command_uuid, first.commandUuid, 'the same command, which the machine knows');
  await again.install(uuid);
  await again.bootInstalled(uuid);
  await again.cloudInit(uuid, 'absent');
  assert.equal(server.run(machine.uuid, uuid).status, 'completed');
  assert.deepEqual(endsIn(server.history(uuid)), ['completed']);
});

test('another system than the installed one is an error', async () => {
  await using resources = new Resources();
  const { machine, uuid, run } = await startInstallingRun(resources);
  await machine.install(uuid);
  await machine.bootInstalled('99999999-2222-4333-8444-555555555555');
  assert.deepEqual([run().status, run().error_code], ['error', 'booted_another_system']);
});

test('the installed system on another disk than its own is a copy, and an error; disks without names are taken at their word', async () => {
  await using resources = new Resources();
  const target = { disk_serial: 'TARGET', disk_wwn: null };
  for (const [rootDisk, facts, expected] of [
    [{ serial: 'TARGET', wwn: '5000c500' }, target, 'completed'],
    [{ serial: 'CLONE', wwn: null }, target, 'error'],
    [{ serial: 'TARGET', wwn: '5000c501' }, { disk_serial: 'TARGET', disk_wwn: '5000c500' }, 'completed'],
    [{ serial: null, wwn: null }, target, 'completed'],
    [null, target, 'completed'],
    [{ serial: 'CLONE', wwn: null }, {}, 'completed'],
  ] as const) {
    const { machine, uuid, run } = await startInstallingRun(resources);
    await machine.install(uuid, facts);
    await machine.bootInstalled(uuid, rootDisk);
    await machine.cloudInit(uuid, 'absent');
    assert.equal(run().status, expected, JSON.stringify([rootDisk, facts]));
    if (expected === 'error')
      assert.match(run().error_message, /a copy of the installed system, on another disk \(CLONE\)/);
  }
});

test('without an agent in the system the run is completed, unconfirmed, when the machine is told to boot it', async () => {
  await using resources = new Resources();
  const { server, machine, uuid } = await startInstallingRun(resources);
  await machine.result(uuid, 'failed');
  server.context.db.prepare('UPDATE machines SET inject_agent = 0').run();
  const { provisionUuid } = server.service.queue(machine.uuid);
  await server.service.settled();
  const { args } = await machine.take(2);
  assert.deepEqual([args.inject_agent, args.agent_config], [false, null]);
  await machine.install(provisionUuid);
  const run = server.run(machine.uuid, provisionUuid);
  assert.deepEqual([run.status, run.unconfirmed], ['completed', true]);
});

test('a command that the machine rejects ends the run with its reason', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startQueuedRun(resources);
  await machine.bootInstaller();
  const command = await machine.agent.next('command');
  await machine.agent.acknowledged(machine.agent.reply(command.command_uuid, 'rejected', 'busy: another run'));
  assert.deepEqual([run().uuid, run().status, run().error_code], [uuid, 'error', 'command_rejected']);
  assert.match(run().error_message, /busy: another run/);
  assert.equal(server.describe(machine.uuid).provision_state, 'Failed');
});

test('one active run per machine: the second is refused, by the check and by the index', async () => {
  await using resources = new Resources();
  const { server, machine, uuid } = await startInstallingRun(resources);
  assert.throws(
    () => server.service.queue(machine.uuid),
    (error: unknown) => {
      assert.ok(error instanceof ApiError);
      assert.equal(error.status, 409);
      assert.match(error.message, new RegExp(uuid));
      return true;
    },
  );
  const copy = `INSERT INTO provisions (uuid, machine_uuid, mode, status, current_step, current_message, progress_percent,
    created_at) SELECT 'x', machine_uuid, mode, 'queued', '', '', 0, created_at FROM provisions`;
  assert.throws(() => server.context.db.exec(copy), /UNIQUE constraint/);
});

test('an adopted machine begins its interrupted run again, with another command', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, commandUuid, run } = await startInstallingRun(resources);
  await machine.tell(uuid, { percent: 60 });
  machine.off();
  server.service.onAdopted(machine.uuid);
  assert.deepEqual([run().status, run().progress_percent], ['in_progress', 0]);
  assert.equal(server.commands.get(machine.uuid, commandUuid)?.status, 'canceled');
  await machine.bootInstaller();
  const again = await machine.take();
  assert.notEqual(again.commandUuid, commandUuid);
  assert.equal(again.args.provision_uuid, uuid);
  await machine.install(uuid);
  await machine.bootInstalled(uuid);
  await machine.cloudInit(uuid, 'done');
  assert.equal(run().status, 'completed');
});

test('changes that came after a run was queued still need one when it has ended', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startInstallingRun(resources);
  server.context.db.prepare('UPDATE machines SET config_revision = config_revision + 1').run();
  await machine.install(uuid);
  await machine.bootInstalled(uuid);
  await machine.cloudInit(uuid, 'done');
  assert.equal(run().status, 'completed');
  assert.equal(server.describe(machine.uuid).needs_provisioning, true);
});
