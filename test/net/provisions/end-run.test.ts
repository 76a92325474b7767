import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../../control-plane/http/api-error.ts';
import { type InstallingRun, startInstallingRun, startQueuedRun } from '../../builders/installing-run.ts';
import { minuteMs } from '../../builders/run-inputs.ts';
import { Resources, waitFor } from '../../resources.ts';

/** An installation that has said something. */
async function startInstalling(resources: Resources): Promise<InstallingRun> {
  const installing = await startInstallingRun(resources);
  await installing.machine.tell(installing.uuid, { percent: 20 });
  return installing;
}

const is409 = (error: unknown): boolean => error instanceof ApiError && error.status === 409;

test('a queued run is canceled at once, and its command never reaches the machine', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startQueuedRun(resources);
  assert.equal(server.describe(machine.uuid).provision_state, 'Install pending');
  server.service.cancel(machine.uuid, uuid);
  assert.deepEqual([run().status, run().disk_state], ['canceled', 'untouched']);
  assert.throws(() => server.service.cancel(machine.uuid, uuid), is409);
  const agent = await machine.bootInstaller();
  await agent.acknowledged(agent.sendNumbered({ type: 'log', command_uuid: null, lines: [] }));
  assert.deepEqual(agent.all('command'), []);
  assert.equal(server.describe(machine.uuid).provision_state, 'Discovery mode');
});

test('an installer is asked to stop, once, and says what it leaves behind', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startInstalling(resources);
  server.service.cancel(machine.uuid, uuid);
  server.service.cancel(machine.uuid, uuid);
  assert.deepEqual([run().status, run().cancel_requested_at !== null], ['in_progress', true]);
  const command = await machine.agent.next('command', 2);
  assert.deepEqual([command.kind, command.args], ['CancelProvision', { provision_uuid: uuid }]);
  machine.agent.reply(command.command_uuid, 'accepted');
  await machine.result(uuid, 'aborted');
  assert.deepEqual([run().status, run().disk_state], ['canceled', 'partial']);
  assert.equal(machine.agent.all('command').length, 2);
  assert.equal(server.describe(machine.uuid).provision_state, 'Failed', 'its disk holds half a system');
});

test('an installer that cannot stop any more goes on', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startInstalling(resources);
  server.service.cancel(machine.uuid, uuid);
  const command = await machine.agent.next('command', 2);
  await machine.agent.acknowledged(machine.agent.reply(command.command_uuid, 'rejected', 'it is committed already'));
  assert.deepEqual([run().status, run().cancel_requested_at], ['in_progress', null]);
  assert.match(run().current_message, /it is committed already/);
});

test('a machine that is away frees its operator at once, and is told to stop when it is back', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startInstalling(resources);
  const { bootId } = machine.agent;
  machine.off();
  await waitFor('the socket to be gone', () => !server.hub.isConnected(machine.uuid));
  server.service.cancel(machine.uuid, uuid);
  assert.equal(run().status, 'canceled');
  const { provisionUuid: next } = server.service.queue(machine.uuid);
  await server.service.settled();
  const agent = await machine.boot({ mode: 'installer', boot_id: bootId, last_event_seq: 10 });
  const cancel = await agent.next('command');
  const given = () =>
    agent.all('command').map(({ kind, args }) => [kind, (args as { provision_uuid: string }).provision_uuid]);
  await server.service.tick();
  await agent.acknowledged(agent.reply(cancel.command_uuid, 'accepted'));
  assert.deepEqual(given(), [['CancelProvision', uuid]], 'the next run would be rejected as busy while this one stops');
  assert.match(server.run(machine.uuid, next).current_message, /has stopped the run before/);
  agent.reply(cancel.command_uuid, 'done');
  await agent.next('command', 2);
  assert.deepEqual(given().at(-1), ['ProvisionMachine', next]);
});

test('a run that is canceled while its machine is away in the middle of writing leaves a disk that does not boot', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startInstalling(resources);
  await machine.tell(uuid, { percent: 30, disk_state: 'partial' });
  machine.off();
  await waitFor('the socket to be gone', () => !server.hub.isConnected(machine.uuid));
  server.service.cancel(machine.uuid, uuid);
  assert.deepEqual([run().status, run().disk_state], ['canceled', 'partial']);
  assert.equal(server.describe(machine.uuid).provision_state, 'Failed');
});

test('a CancelProvision that fails late is no answer to the one of the next run', async () => {
  await using resources = new Resources();
  const { server, machine, uuid } = await startInstalling(resources);
  server.service.cancel(machine.uuid, uuid);
  const first = await machine.agent.next('command', 2);
  await machine.result(uuid, 'aborted');
  const { provisionUuid: next } = server.service.queue(machine.uuid);
  await server.service.settled();
  await machine.agent.acknowledged(machine.agent.reply(first.command_uuid, 'accepted'));
  // Its command is held back, but the machine speaks of it: it has got it over another socket, say.
  server.context.db.prepare(`UPDATE commands SET status = 'sent' WHERE status = 'queued'`).run();
  server.service.cancel(machine.uuid, next);
  await machine.agent.acknowledged(machine.agent.reply(first.command_uuid, 'failed', 'it does not run here'));
  assert.notEqual(server.run(machine.uuid, next).cancel_requested_at, null);
});

test('an installed system that has not left for the installer yet loses its command', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startQueuedRun(resources);
  await machine.bootInstalled(null);
  await machine.take();
  assert.equal(run().status, 'in_progress');
  server.service.cancel(machine.uuid, uuid);
  assert.deepEqual([run().status, run().disk_state], ['canceled', 'untouched']);
  const agent = await machine.bootInstaller();
  await agent.acknowledged(agent.sendNumbered({ type: 'log', command_uuid: null, lines: [] }));
  assert.ok(agent.all('command').every(({ kind }) => kind === 'CancelProvision'));
});

test('clear drops a queued run and the mark; it refuses one that the machine has seen', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startQueuedRun(resources);
  assert.ok(server.describe(machine.uuid).install_until !== null, 'its network boot gets the installer meanwhile');
  assert.equal(server.service.clear(machine.uuid).provisionUuid, uuid);
  assert.equal(run().status, 'canceled');
  const cleared = server.describe(machine.uuid);
  assert.deepEqual([cleared.needs_provisioning, cleared.install_until], [false, null]);
  assert.equal(server.service.clear(machine.uuid).provisionUuid, null);
  server.service.queue(machine.uuid);
  await server.service.settled();
  await machine.bootInstaller();
  await machine.agent.next('command');
  assert.throws(() => server.service.clear(machine.uuid), is409);
});

test('discover sends the machine into the installer without a run', async () => {
  await using resources = new Resources();
  const { server, machine, uuid } = await startQueuedRun(resources);
  assert.throws(() => server.service.discover(machine.uuid), is409);
  server.service.cancel(machine.uuid, uuid);
  assert.equal(server.service.discover(machine.uuid).provisionUuid, null);
  const installed = await machine.bootInstalled(null);
  const command = await installed.next('command');
  assert.deepEqual([command.kind, command.args], ['EnterInstaller', { kexec: 'never' }]);
  assert.ok(server.describe(machine.uuid).install_until !== null);
  const installer = await machine.bootInstaller();
  installer.reply(command.command_uuid, 'done');
  assert.match(server.service.discover(machine.uuid).message, /already/);
  const { provision_state, is_in_initrd } = server.describe(machine.uuid);
  assert.deepEqual([provision_state, is_in_initrd], ['Discovery mode', true]);
});

test('an installer that falls silent times out and is told to stop; its late success changes nothing', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startInstalling(resources);
  await server.pass(15 * minuteMs - 1);
  assert.equal(run().status, 'in_progress');
  await server.pass(1);
  assert.deepEqual([run().status, run().error_code], ['timeout', 'timeout']);
  assert.equal((await machine.agent.next('command', 2)).kind, 'CancelProvision');
  await machine.install(uuid);
  await machine.bootInstalled(uuid);
  await machine.cloudInit(uuid, 'done');
  assert.equal(run().status, 'timeout');
});

test('an installer that is back after 14 minutes has 15 more to say something, and no more however often it connects', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startInstalling(resources);
  const { bootId } = machine.agent;
  const back = async () => await machine.boot({ mode: 'installer', boot_id: bootId, last_event_seq: 10 });
  await server.pass(14 * minuteMs);
  await back();
  await server.pass(14 * minuteMs);
  assert.equal(run().status, 'in_progress');
  await back();
  await server.pass(14 * minuteMs);
  assert.equal(run().status, 'in_progress');
  await back();
  await server.pass(3 * minuteMs);
  assert.deepEqual([uuid, run().status], [run().uuid, 'timeout']);
  assert.match(run().error_message, /the installer is connected but has said nothing for 45 minutes/);
});

test('a machine that does not come back has its own boot timeout', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startInstalling(resources);
  server.context.db.prepare('UPDATE machines SET boot_timeout_seconds = 3600').run();
  await machine.install(uuid);
  machine.off();
  await waitFor('the socket to be gone', () => !server.hub.isConnected(machine.uuid));
  await server.pass(60 * minuteMs - 1);
  assert.equal(run().status, 'in_progress');
  await server.pass(1);
  assert.equal(run().status, 'timeout');
});

test('F58 an installation of three hours with an event every 14 minutes is no timeout', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startInstalling(resources);
  for (let minute = 14; minute <= 182; minute += 14) {
    await server.pass(14 * minuteMs);
    const percent = 20 + (minute / 182) * 70;
    await machine.tell(uuid, { percent });
    assert.deepEqual([run().status, run().progress_percent], ['in_progress', Math.floor(percent)]);
  }
  await machine.install(uuid);
  await machine.bootInstalled(uuid);
  await machine.cloudInit(uuid, 'done');
  const { started_at, completed_at } = run();
  assert.equal(Date.parse(completed_at ?? '') - Date.parse(started_at ?? ''), 182 * minuteMs);
});
