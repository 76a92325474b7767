import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { commandIs, startAgentServer } from '../../builders/agent-server.ts';
import type { TestAgent } from '../../builders/test-agent.ts';
import { Resources } from '../../resources.ts';

test('an accepted command without an outcome is sent again, unless the hello proves what became of it', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const { commands } = server.sockets;
  const ends = async (
    kind: 'EnterInstaller' | 'BootInstalledSystem' | 'Reboot' | 'PowerOff' | 'CollectLogs',
    next: { readonly mode: 'installer' | 'installed'; readonly isSameBoot?: boolean },
  ): Promise<string> => {
    const identity = server.newMachine();
    const { machineUuid } = identity;
    const agent = await server.connect({ identity, onCommand: () => ['accepted'] });
    const args = kind === 'CollectLogs' ? { since: null } : { kexec: 'auto' as const };
    const command = commands.enqueue(machineUuid, kind as 'EnterInstaller', args as { kexec: 'auto' });
    const { sentAt } = await commandIs(server, command, 'accepted');
    await agent.close();
    const boot = next.isSameBoot === true ? { boot_id: agent.bootId, last_event_seq: 1 } : {};
    const back = await server.connect({ identity, hello: { mode: next.mode, ...boot }, onCommand: () => ['failed'] });
    // What an agent says that remembers the command itself changes nothing any more.
    await back.acknowledged(back.reply(command.uuid, 'failed', 'late'));
    const stored = commands.get(machineUuid, command.uuid);
    assert.equal(stored?.sentAt, sentAt);
    const given = back.all('command').map(({ command_uuid: uuid }) => uuid);
    assert.deepEqual(given, stored?.status === 'done' ? [] : [command.uuid]);
    return `${stored?.status}`;
  };
  // An installer from network or ISO has no memory of them: it would do them once more.
  for (const mode of ['installer', 'installed'] as const) {
    assert.equal(await ends('Reboot', { mode }), 'done');
    assert.equal(await ends('PowerOff', { mode }), 'done');
    assert.equal(await ends('CollectLogs', { mode }), 'failed');
    for (const kind of ['Reboot', 'PowerOff', 'EnterInstaller', 'BootInstalledSystem'] as const) {
      assert.equal(await ends(kind, { mode, isSameBoot: true }), 'failed', `${kind}: nothing has happened yet`);
    }
  }
  assert.equal(await ends('EnterInstaller', { mode: 'installer' }), 'done');
  assert.equal(await ends('EnterInstaller', { mode: 'installed' }), 'failed', 'its old system says why');
  assert.equal(await ends('BootInstalledSystem', { mode: 'installed' }), 'done');
  assert.equal(await ends('BootInstalledSystem', { mode: 'installer' }), 'failed');
});

test('a machine that has not accepted a command before it was started anew gets it', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const agent = await server.connect();
  const { identity } = agent;
  const command = server.sockets.commands.enqueue(identity.machineUuid, 'PowerOff', {});
  await agent.next('command');
  const next = await server.connect({ identity });
  assert.equal((await next.next('command')).command_uuid, command.uuid);
});

test('what was given after a CancelProvision waits for its outcome, but for what an installation does not exclude', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const identity = server.newMachine();
  const { commands } = server.sockets;
  const cancel = commands.enqueue(identity.machineUuid, 'CancelProvision', { provision_uuid: randomUUID() });
  const kinds = (agent: TestAgent) => agent.all('command').map(({ kind }) => kind);
  commands.enqueue(identity.machineUuid, 'CollectLogs', { since: null });
  const reboot = commands.enqueue(identity.machineUuid, 'Reboot', {});
  const first = await server.connect({ identity });
  await first.acknowledged(first.reply(cancel.uuid, 'accepted'));
  assert.deepEqual(kinds(first), ['CancelProvision', 'CollectLogs']);
  // A machine that is started anew in the middle of it is asked again, and says that nothing runs.
  const second = await server.connect({ identity });
  await second.next('command', 2);
  commands.enqueue(identity.machineUuid, 'PowerOff', {});
  await second.acknowledged(second.sendNumbered({ type: 'log', command_uuid: null, lines: [] }));
  assert.deepEqual(kinds(second), ['CancelProvision', 'CollectLogs']);
  second.reply(cancel.uuid, 'failed', 'this installation does not run here');
  await second.next('command', 4);
  assert.deepEqual(kinds(second).slice(2), ['Reboot', 'PowerOff']);
  assert.equal(commands.get(identity.machineUuid, reboot.uuid)?.status, 'sent');
});

test('a machine that never says what became of a CancelProvision gets the others all the same', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources, { timing: { cancelMs: 100 } });
  const identity = server.newMachine();
  const { commands } = server.sockets;
  const cancel = commands.enqueue(identity.machineUuid, 'CancelProvision', { provision_uuid: randomUUID() });
  commands.enqueue(identity.machineUuid, 'Reboot', {});
  const agent = await server.connect({ identity, onCommand: () => ['accepted'] });
  await agent.next('command', 2);
  assert.deepEqual(
    agent.all('command').map(({ kind }) => kind),
    ['CancelProvision', 'Reboot'],
  );
  const stored = commands.get(identity.machineUuid, cancel.uuid);
  assert.deepEqual(stored?.status, 'canceled');
  assert.match(stored.reason ?? '', /has not said within/);
});
