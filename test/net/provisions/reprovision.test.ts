import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { startQueuedRun } from '../../builders/installing-run.ts';
import { minuteMs } from '../../builders/run-inputs.ts';
import { Resources, waitFor } from '../../resources.ts';

/** A run whose machine is in its installed system, has taken the command and says that it leaves for the installer. */
async function startLeavingRun(resources: Resources) {
  const queued = await startQueuedRun(resources);
  const { machine } = queued;
  await machine.bootInstalled(randomUUID());
  const { commandUuid, args } = await machine.take();
  const say = async (message: string): Promise<void> =>
    await machine.agent.acknowledged(machine.agent.reply(commandUuid, 'accepted', message));
  await say('fetching the installer, 66 MiB');
  return { ...queued, commandUuid, args, say };
}

test('an installed machine is installed anew: progress, installer with the same command, new system', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run, commandUuid, args, say } = await startLeavingRun(resources);
  const shown = () => [run().status, run().current_step, run().current_message];
  assert.deepEqual(shown(), ['in_progress', 'entering_installer', 'fetching the installer, 66 MiB']);
  assert.deepEqual(
    [server.commands.get(machine.uuid, commandUuid)?.status, server.commands.get(machine.uuid, commandUuid)?.reason],
    ['accepted', 'fetching the installer, 66 MiB'],
  );
  await say('starting the installer: its kernel was loaded (kexec)');
  machine.off();
  await server.pass(5 * minuteMs);
  assert.equal(run().status, 'in_progress');
  assert.notEqual(server.describe(machine.uuid).install_until, null, 'a network boot leads to the installer, too');

  await machine.bootInstaller();
  const again = await machine.take();
  assert.equal(again.commandUuid, commandUuid, 'the same command');
  assert.deepEqual(again.args, args, 'with all its arguments');
  assert.deepEqual(shown().slice(0, 2), ['in_progress', 'entering_installer']);
  await machine.tell(uuid, { step: 'layer_extraction', percent: 40, message: 'halfway' });
  assert.deepEqual(shown(), ['in_progress', 'layer_extraction', 'halfway']);
  await say('a late word of the system before');
  assert.deepEqual(shown(), ['in_progress', 'layer_extraction', 'halfway']);
  await machine.install(uuid);
  await machine.bootInstalled(uuid);
  await machine.cloudInit(uuid, 'done');
  assert.equal(run().status, 'completed');
  const said = server.history(uuid).flatMap(({ kind, event }) => (kind === 'server' ? [event['message']] : []));
  const onTheWay = ['fetching the installer, 66 MiB', 'starting the installer: its kernel was loaded (kexec)'];
  assert.deepEqual(
    said.filter((message) => onTheWay.includes(String(message))),
    onTheWay,
    'the history says it, too',
  );
});

test('the old system comes back: the run ends with its reason, the disk untouched, and nothing is given again', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run, commandUuid } = await startLeavingRun(resources);
  machine.off();
  await machine.bootInstalled(randomUUID());
  assert.equal(run().status, 'in_progress', 'the machine says itself what became of it');
  const redelivered = await machine.agent.next('command');
  assert.equal(redelivered.command_uuid, commandUuid);
  const reason = 'the machine left for the installer, but its old system is back (GRUB was told to start it once)';
  await machine.agent.acknowledged(machine.agent.reply(commandUuid, 'failed', reason));
  const { status, error_code, error_message, disk_state } = run();
  assert.deepEqual(
    [status, error_code, error_message, disk_state],
    ['error', 'command_failed', `the machine could not carry out the command: ${reason}`, 'untouched'],
  );
  assert.equal(server.service.buildArgs(uuid), null);
  const next = await machine.bootInstaller();
  assert.equal(next.all('command').length, 0);
});

test('F55 a machine that rejects the command ends the run, with the disk untouched', async () => {
  await using resources = new Resources();
  const { machine, run } = await startQueuedRun(resources);
  await machine.bootInstalled(randomUUID());
  const { command_uuid: commandUuid } = await machine.agent.next('command');
  const reason = 'Secure Boot is on, the installer is not signed by an enrolled key';
  await machine.agent.acknowledged(machine.agent.reply(commandUuid, 'rejected', reason));
  assert.deepEqual(
    [run().status, run().error_code, run().error_message, run().disk_state],
    ['error', 'command_rejected', `the machine refused the command: ${reason}`, 'untouched'],
  );
});

test('F54 a machine that hangs between its systems: the server says so when boot_timeout is over', async () => {
  await using resources = new Resources();
  const { server, machine, run } = await startLeavingRun(resources);
  machine.off();
  await waitFor('the end of the socket', () => !server.hub.isConnected(machine.uuid));
  await server.pass(44 * minuteMs);
  assert.equal(run().status, 'in_progress');
  await server.pass(2 * minuteMs);
  assert.deepEqual([run().status, run().disk_state], ['timeout', 'untouched'], 'no installer has had the command');
  assert.match(run().error_message, /left for the installer and has not been heard of for 45 minutes; switch it off/);
});

test('the old system after the installer has begun: the run ends, and says that it was not complete', async () => {
  await using resources = new Resources();
  const { machine, uuid, run } = await startLeavingRun(resources);
  await machine.bootInstaller();
  await machine.take();
  await machine.tell(uuid, { step: 'image_inspection', percent: 1 });
  await machine.bootInstalled(randomUUID());
  assert.deepEqual([run().status, run().error_code], ['error', 'booted_another_system']);
  assert.match(run().error_message, /left the installer before the installation was complete/);
});

test('a run that is canceled while its machine is still in the old system ends at once, and the machine is told', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startLeavingRun(resources);
  server.service.cancel(machine.uuid, uuid);
  assert.deepEqual([run().status, run().disk_state], ['canceled', 'untouched']);
  const command = await machine.agent.next('command', 2);
  assert.deepEqual([command.kind, command.args], ['CancelProvision', { provision_uuid: uuid }]);
  await machine.agent.acknowledged(machine.agent.reply(command.command_uuid, 'done', 'canceled'));
  const installer = await machine.bootInstaller();
  assert.equal(installer.all('command').length, 0, 'a machine that had left already finds nothing to install');
});

test('a run that is canceled while its machine is between its systems has not touched the disk: no installer has had it', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startLeavingRun(resources);
  machine.off();
  await waitFor('the end of the socket', () => !server.hub.isConnected(machine.uuid));
  server.service.cancel(machine.uuid, uuid);
  assert.deepEqual([run().status, run().disk_state], ['canceled', 'untouched']);
  const installer = await machine.bootInstaller();
  await installer.acknowledged(installer.sendNumbered({ type: 'log', command_uuid: null, lines: [] }));
  assert.ok(installer.all('command').every(({ kind }) => kind === 'CancelProvision'));
});
