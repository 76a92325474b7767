import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CommandLedger } from '../../../../agent/commands/command-ledger.ts';
import { installedHandlers } from '../../../../agent/commands/installed-handlers.ts';
import { handlersOf } from '../../../builders/agent-fixture.ts';
import { Resources, waitFor } from '../../../resources.ts';
import { command, open, pausable } from './desk-fixture.ts';

test('F63 the outcome is remembered across restarts, and what was running then has failed', async () => {
  await using resources = new Resources();
  const path = join(resources.tempDir(), 'commands.json');
  const handler = pausable();
  const handlers = handlersOf({
    PowerOff: { run: async () => ({ state: 'done', reason: 'ok' }) },
    CollectLogs: handler,
  });
  const first = open(handlers, { path });
  const [ended, running, unknown] = [command('PowerOff'), command('CollectLogs', { since: null }), command('Dance')];
  for (const frame of [ended, running, unknown]) first.desk.take(frame);
  await waitFor('the outcome', () => first.replies(ended.command_uuid).length === 2);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const second = open(handlers, { path });
  assert.deepEqual(second.replies(running.command_uuid), ['failed the agent ended while it carried out CollectLogs']);
  for (const frame of [ended, running, unknown]) second.desk.take(frame);
  assert.deepEqual(second.replies(ended.command_uuid), ['done ok']);
  assert.deepEqual(second.replies(unknown.command_uuid), ['rejected this agent knows no command Dance']);
  assert.equal(second.replies(running.command_uuid).length, 2);
  assert.equal(handler.started.length, 1);
});

test('a command that ends with the machine is decided by the next start', async () => {
  await using resources = new Resources();
  const leave: string[] = [];
  const options = { leave: async (how: string) => void leave.push(how), goingDownMs: 2 ** 30 };
  for (const [bootId, expected] of [
    ['boot-2', 'done null'],
    ['boot-1', 'failed the agent was started again, the machine was not'],
  ] as const) {
    const path = join(resources.tempDir(), 'commands.json');
    const first = open(installedHandlers(options), { path });
    const frame = command('Reboot');
    const before = leave.length;
    first.desk.take(frame);
    // The server has everything: the farewell need not be waited for.
    first.outbox.acknowledge('boot-1', 99);
    await waitFor('the machine to be told', () => leave.length > before);
    first.desk.take(frame);
    await first.desk.stop();
    assert.equal(leave.length, before + 1);
    const second = open(installedHandlers(options), { path, bootId });
    assert.deepEqual(second.replies(frame.command_uuid), [expected]);
  }
  assert.deepEqual([...new Set(leave)], ['reboot']);
});

test('a machine that does not go down is said after a while', async () => {
  const { desk, replies, outbox } = open(installedHandlers({ leave: async () => undefined, goingDownMs: 20 }));
  const frame = command('PowerOff');
  desk.take(frame);
  outbox.acknowledge('boot-1', 99);
  await waitFor('the outcome', () => replies(frame.command_uuid).length === 1);
  assert.match(replies(frame.command_uuid).join(), /^failed the machine still runs .*\[tool_failed\]$/);
});

test('what is left for another run is run when it is delivered again, once', async () => {
  await using resources = new Resources();
  const path = join(resources.tempDir(), 'commands.json');
  const before = open(handlersOf({ CollectLogs: pausable() }), { path });
  const [frame, later] = [command('CollectLogs', { since: null }), command('CollectLogs', { since: null })];
  before.desk.take(frame);
  const handler = pausable();
  const after = open(handlersOf({ CollectLogs: { ...handler, afterRestart: () => 'again' } }), { path });
  assert.deepEqual(after.replies(frame.command_uuid), []);
  after.desk.take(frame);
  after.desk.take(frame);
  assert.equal(handler.started.length, 1);
  after.desk.take(later);
  assert.match(after.replies(later.command_uuid).join(), /^rejected busy/);
});

test('a command that cannot be noted is not carried out; a damaged ledger is set aside', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  const path = join(dir, 'state', 'commands.json');
  // Not even root can make a folder where a file is.
  writeFileSync(join(dir, 'state'), '');
  const handler = pausable();
  const { desk, replies } = open(handlersOf({ Reboot: handler }), { path });
  const frame = command('Reboot');
  desk.take(frame);
  assert.match(replies(frame.command_uuid).join(), /^rejected the agent cannot note the command: /);
  assert.equal(handler.started.length, 0);
  rmSync(join(dir, 'state'));
  const damaged = join(dir, 'commands.json');
  writeFileSync(damaged, '{"entries": 7');
  const second = open(handlersOf({ Reboot: handler }), { path: damaged });
  assert.equal(second.events.length, 1);
  second.desk.take(command('Reboot'));
  assert.equal(handler.started.length, 1);
  assert.equal(readFileSync(`${damaged}.damaged`, 'utf8'), '{"entries": 7');
});

test('the ledger is bounded, and what has no outcome stays in it', () => {
  const ledger = new CommandLedger({ path: null, onProblem: () => undefined, mostEntries: 3 });
  const entry = (state: 'accepted' | 'done', name: string) => ({
    ...{ command_uuid: name, kind: 'Reboot', issued_at: '2026-11-20T12:00:00Z', boot_id: 'b', reason: null },
    state,
  });
  ledger.note(entry('accepted', 'open'), 'system');
  for (const name of ['a', 'b', 'c', 'd']) ledger.note(entry('done', name), 'system');
  assert.deepEqual(
    ['open', 'a', 'b', 'c', 'd'].filter((name) => ledger.get(name) !== undefined),
    ['open', 'c', 'd'],
  );
});
