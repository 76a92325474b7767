import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { StoredCommand } from '../../../control-plane/services.ts';
import { type AgentServer, commandIs, startAgentServer } from '../../builders/agent-server.ts';
import { FakeClock } from '../../builders/server-context.ts';
import { Resources } from '../../resources.ts';

function ignoredReplies(server: AgentServer, command: StoredCommand): number {
  return Number(
    server.context.db.prepare('SELECT ignored_replies FROM commands WHERE uuid = ?').get(command.uuid)?.[
      'ignored_replies'
    ],
  );
}

test('a command is sent at once, accepted and done, and listeners hear of its end', async () => {
  await using resources = new Resources();
  const ended: StoredCommand[] = [];
  const server = await startAgentServer(resources, { listeners: [{ commandEnded: (command) => ended.push(command) }] });
  const agent = await server.connect();
  const command = server.sockets.commands.enqueue(agent.identity.machineUuid, 'EnterInstaller', { kexec: 'never' });
  assert.equal(command.status, 'queued');
  const frame = await agent.next('command');
  assert.deepEqual(
    { ...frame },
    {
      type: 'command',
      command_uuid: command.uuid,
      kind: 'EnterInstaller',
      issued_at: command.createdAt,
      args: { kexec: 'never' },
    },
  );
  assert.equal((await commandIs(server, command, 'sent')).sentAt !== null, true);
  agent.reply(command.uuid, 'accepted');
  await commandIs(server, command, 'accepted');
  agent.reply(command.uuid, 'done', 'it is there');
  const { reason, finishedAt } = await commandIs(server, command, 'done');
  assert.equal(reason, 'it is there');
  assert.notEqual(finishedAt, null);
  assert.deepEqual(
    ended.map(({ uuid, status: outcome }) => ({ uuid, outcome })),
    [{ uuid: command.uuid, outcome: 'done' }],
  );
});

test('F63 the same command delivered twice has one outcome: the first; later replies are counted', async () => {
  await using resources = new Resources();
  const ended: string[] = [];
  const server = await startAgentServer(resources, {
    listeners: [{ commandEnded: ({ status: end }) => ended.push(end) }],
  });
  const identity = server.newMachine();
  const agent = await server.connect({ identity });
  const command = server.sockets.commands.enqueue(identity.machineUuid, 'Reboot', {});
  await agent.next('command');
  agent.cut();
  const back = await server.connect({ identity, hello: { boot_id: agent.bootId } });
  const again = await back.next('command');
  assert.equal(again.command_uuid, command.uuid);
  assert.equal(again.issued_at, command.createdAt);
  // Both deliveries are answered, and the second contradicts the first.
  back.reply(command.uuid, 'accepted');
  back.reply(command.uuid, 'accepted');
  back.reply(command.uuid, 'done');
  back.reply(command.uuid, 'failed', 'too late');
  const seq = back.reply(command.uuid, 'accepted');
  await back.acknowledged(seq);
  const stored = await commandIs(server, command, 'done');
  assert.equal(stored.reason, null);
  assert.equal(ignoredReplies(server, command), 2);
  assert.deepEqual(ended, ['done']);
  const third = await server.connect({ identity });
  await third.acknowledged(third.sendNumbered({ type: 'log', command_uuid: null, lines: [] }));
  assert.equal(third.all('command').length, 0);
});

test('F63 commands go out in the order of giving, with times that grow although the clock was set back', async () => {
  await using resources = new Resources();
  const clock = new FakeClock();
  const server = await startAgentServer(resources, { context: { clock } });
  const identity = server.newMachine();
  const { commands } = server.sockets;
  const first = commands.enqueue(identity.machineUuid, 'CollectLogs', { since: null });
  clock.advance(-3_600_000);
  const second = commands.enqueue(identity.machineUuid, 'Reboot', {});
  const third = commands.enqueue(identity.machineUuid, 'PowerOff', {});
  const agent = await server.connect({ identity });
  await agent.next('command', 3);
  const sent = agent.all('command');
  assert.deepEqual(
    sent.map(({ command_uuid }) => command_uuid),
    [first.uuid, second.uuid, third.uuid],
  );
  const times = sent.map(({ issued_at }) => Date.parse(issued_at));
  assert.ok((times[0] ?? 0) < (times[1] ?? 0) && (times[1] ?? 0) < (times[2] ?? 0), String(times));
  assert.deepEqual(
    commands.list(identity.machineUuid).map(({ uuid }) => uuid),
    [third.uuid, second.uuid, first.uuid],
  );
});

test('a second command does not send the first one again', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const agent = await server.connect();
  const first = server.sockets.commands.enqueue(agent.identity.machineUuid, 'Reboot', {});
  await agent.next('command');
  const second = server.sockets.commands.enqueue(agent.identity.machineUuid, 'PowerOff', {});
  await agent.next('command', 2);
  assert.deepEqual(
    agent.all('command').map(({ command_uuid }) => command_uuid),
    [first.uuid, second.uuid],
  );
});

test('F63 a rejected command stands alone, and the agent reconnecting does not get it again', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const identity = server.newMachine();
  await server.connect({ identity, onCommand: () => ['rejected'] });
  const command = server.sockets.commands.enqueue(identity.machineUuid, 'Reboot', {});
  await commandIs(server, command, 'rejected');
  const back = await server.connect({ identity });
  await back.acknowledged(back.sendNumbered({ type: 'log', command_uuid: null, lines: [] }));
  assert.equal(back.all('command').length, 0);
});

test('a canceled command is not sent, and has no other outcome', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const identity = server.newMachine();
  const command = server.sockets.commands.enqueue(identity.machineUuid, 'Reboot', {});
  assert.equal(server.sockets.commands.cancel(command.uuid, 'not any more'), true);
  assert.equal(server.sockets.commands.cancel(command.uuid, 'twice'), false);
  const agent = await server.connect({ identity });
  await agent.acknowledged(agent.reply(command.uuid, 'done'));
  assert.equal(agent.all('command').length, 0);
  const stored = await commandIs(server, command, 'canceled');
  assert.equal(stored.reason, 'not any more');
});

test('a machine can answer its own commands only', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const owner = server.newMachine();
  const command = server.sockets.commands.enqueue(owner.machineUuid, 'Reboot', {});
  const stranger = await server.connect();
  stranger.reply(randomUUID(), 'done');
  await stranger.acknowledged(stranger.reply(command.uuid, 'done'));
  assert.equal(server.sockets.commands.get(owner.machineUuid, command.uuid)?.status, 'queued');
  assert.equal(server.sockets.commands.get(stranger.identity.machineUuid, command.uuid), null);
});

test('a command that a listener gives at the hello or at a frame reaches the machine', async () => {
  await using resources = new Resources();
  const enqueue = (machineUuid: string): void => {
    server.sockets.commands.enqueue(machineUuid, 'CollectLogs', { since: null });
  };
  const server = await startAgentServer(resources, { listeners: [{ hello: enqueue, frame: enqueue }] });
  const agent = await server.connect();
  await agent.next('command', 1);
  agent.sendNumbered({ type: 'log', command_uuid: null, lines: [] });
  await agent.next('command', 2);
});

test('a command given by a transaction that fails is neither stored nor sent', async () => {
  await using resources = new Resources();
  let commandUuid = '';
  const server = await startAgentServer(resources, {
    listeners: [
      {
        frame: (machineUuid) => {
          commandUuid = server.sockets.commands.enqueue(machineUuid, 'Reboot', {}).uuid;
          throw new Error('after giving it');
        },
      },
    ],
  });
  const agent = await server.connect();
  await agent.acknowledged(agent.sendNumbered({ type: 'log', command_uuid: null, lines: [] }));
  await agent.acknowledged(agent.sendNumbered({ type: 'log', command_uuid: null, lines: [] }));
  assert.notEqual(commandUuid, '');
  assert.deepEqual(server.sockets.commands.list(agent.identity.machineUuid), []);
  assert.equal(agent.all('command').length, 0);
});

test('ended commands beyond 500 are forgotten, open ones never', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const { machineUuid } = server.newMachine();
  const { commands } = server.sockets;
  const open = commands.enqueue(machineUuid, 'PowerOff', {});
  for (let index = 0; index < 520; index += 1) {
    commands.cancel(commands.enqueue(machineUuid, 'Reboot', {}).uuid, 'test');
  }
  assert.notEqual(commands.get(machineUuid, open.uuid), null);
  assert.ok(commands.list(machineUuid).length <= 502, String(commands.list(machineUuid).length));
});
