import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CommandDesk, type CommandEvent } from '../../../../agent/commands/command-desk.ts';
import { CommandLedger } from '../../../../agent/commands/command-ledger.ts';
import type { CommandHandlers, CommandResult } from '../../../../agent/commands/command-table.ts';
import { installedHandlers } from '../../../../agent/commands/installed-handlers.ts';
import { Outbox } from '../../../../agent/link/outbox.ts';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { commandKinds } from '../../../../protocol/commands.ts';
import { handlersOf } from '../../../builders/agent-fixture.ts';
import { Resources, waitFor } from '../../../resources.ts';

interface Desk {
  readonly desk: CommandDesk;
  readonly outbox: Outbox;
  readonly ledger: CommandLedger;
  readonly events: CommandEvent[];
  /** `state reason` of each reply to a command, in order. */
  replies(commandUuid: string): string[];
}

function open(
  handlers: CommandHandlers,
  options: { path?: string | null; bootId?: string; outbox?: Outbox } = {},
): Desk {
  const events: CommandEvent[] = [];
  const onEvent = (event: CommandEvent): void => void events.push(event);
  const outbox = options.outbox ?? new Outbox({ bootId: options.bootId ?? 'boot-1' });
  const onProblem = (error: ProvisionError): void => onEvent({ kind: 'problem', message: error.message });
  const ledger = new CommandLedger({ path: options.path ?? null, onProblem });
  const desk = new CommandDesk({ handlers, ledger, outbox, onEvent });
  const replies = (uuid: string): string[] =>
    [...outbox.unsent(Symbol('all'))].flatMap(({ frame }) =>
      frame.type === 'command_reply' && frame.command_uuid === uuid ? [`${frame.state} ${frame.reason}`] : [],
    );
  return { desk, outbox, ledger, events, replies };
}

let counter = 0;
function command(kind: string, args: unknown = {}, issuedAt?: string) {
  counter += 1;
  const issued_at = issuedAt ?? new Date(Date.parse('2026-11-20T12:00:00Z') + counter * 1000).toISOString();
  return { command_uuid: randomUUID(), kind, args, issued_at };
}

/** A handler that runs until the test lets it end. */
function pausable() {
  const started: AbortSignal[] = [];
  let finish: (result: CommandResult) => void = () => undefined;
  const run = async (_args: unknown, { signal }: { signal: AbortSignal }): Promise<CommandResult> => {
    started.push(signal);
    return await new Promise((resolve, reject) => {
      finish = resolve;
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  };
  return { run, started, finish: (result: CommandResult = { state: 'done', reason: null }) => finish(result) };
}

const settle = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));

test('F63 a command that is delivered twice is applied once, while it runs and after', async () => {
  const handler = pausable();
  const { desk, replies } = open(handlersOf({ Reboot: handler }));
  const frame = command('Reboot');
  desk.take(frame);
  desk.take(frame);
  await settle();
  assert.equal(handler.started.length, 1);
  assert.deepEqual(replies(frame.command_uuid), ['accepted null', 'accepted null']);
  handler.finish({ state: 'done', reason: 'all well' });
  await waitFor('the outcome', () => replies(frame.command_uuid).length === 3);
  desk.take(frame);
  assert.deepEqual(replies(frame.command_uuid).slice(2), ['done all well', 'done all well']);
  assert.equal(handler.started.length, 1);
});

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

test('F63 an older command of a group after a newer one is refused, a newer one and another group are not', async () => {
  const done = { run: async (): Promise<CommandResult> => ({ state: 'done', reason: null }) };
  const { desk, replies } = open(handlersOf({ Reboot: done, PowerOff: done, CollectLogs: done }));
  const newer = command('Reboot', {}, '2026-11-20T12:00:10.000Z');
  desk.take(newer);
  await waitFor('the outcome', () => replies(newer.command_uuid).length === 2);
  const older = command('PowerOff', {}, '2026-11-20T12:00:09.999Z');
  desk.take(older);
  assert.match(replies(older.command_uuid).join(), /^rejected superseded: .*2026-11-20T12:00:10\.000Z/);
  const logs = command('CollectLogs', { since: null }, '2026-11-20T11:00:00.000Z');
  const next = command('PowerOff', {}, '2026-11-20T12:00:11.000Z');
  desk.take(logs);
  desk.take(next);
  await waitFor('both outcomes', () => replies(logs.command_uuid).length + replies(next.command_uuid).length === 4);
});

test('F63 unknown commands and wrong arguments are rejected with the reason, and nothing runs', () => {
  const handler = pausable();
  const { desk, replies, events } = open(handlersOf({ CollectLogs: handler, ProvisionMachine: handler }));
  const rows: readonly (readonly [string, unknown, RegExp])[] = [
    ['Dance', {}, /^rejected this agent knows no command Dance$/],
    ['__proto__', {}, /^rejected this agent knows no command __proto__$/],
    ['constructor', {}, /^rejected this agent knows no command constructor$/],
    ['a\nb\u001b[31m', {}, /^rejected this agent knows no command of that name$/],
    ['CollectLogs', { since: 'yesterday' }, /^rejected the arguments of CollectLogs are not valid: since: /],
    ['CollectLogs', null, /^rejected the arguments of CollectLogs are not valid: args: /],
    ['ProvisionMachine', { provision_uuid: randomUUID(), user_data: 'secret-user-data' }, /not valid: /],
    ['UpdateAgent', { version: '1', url: 'https://x', sha256: 'a'.repeat(64) }, /^rejected not in this test$/],
  ];
  for (const [kind, args, expected] of rows) {
    const frame = command(kind, args);
    desk.take(frame);
    assert.match(replies(frame.command_uuid).join(), expected, kind);
  }
  assert.equal(handler.started.length, 0);
  assert.doesNotMatch(JSON.stringify(events), /secret-user-data/);
});

test('of one group one runs at a time, and CancelProvision goes through and ends it', async () => {
  const provision = pausable();
  const args = {
    provision_uuid: randomUUID(),
    image: { reference: 'r', digest: 'd', platform: 'linux/amd64' },
    ...{ credentials: null, registry_ca: null, proxy: null, target_disk: null, user_data: null, meta_data: null },
    ...{ vendor_data: null, network_config: null, hostname: null, append_karg: [], inject_agent: true },
    ...{ agent_config: null, kexec_installer: false, boot: 'auto', read_back: false },
  };
  const { desk, replies } = open(
    handlersOf({
      ProvisionMachine: provision,
      Reboot: pausable(),
      CancelProvision: {
        run: async (_args, { running }) => {
          const target = running('system');
          if (target?.kind !== 'ProvisionMachine') return { state: 'failed', reason: 'nothing runs' };
          await target.abort(new ProvisionError('aborted', 'canceled by the operator'));
          return { state: 'done', reason: 'disk erased' };
        },
      },
    }),
  );
  const [run, reboot] = [command('ProvisionMachine', args), command('Reboot')];
  desk.take(run);
  desk.take(reboot);
  assert.deepEqual(replies(reboot.command_uuid), [`rejected busy: ProvisionMachine (${run.command_uuid}) is running`]);
  const cancel = command('CancelProvision', { provision_uuid: args.provision_uuid });
  desk.take(cancel);
  await waitFor('both outcomes', () => replies(cancel.command_uuid).length === 2);
  assert.deepEqual(replies(run.command_uuid), ['accepted null', 'failed canceled by the operator [aborted]']);
  assert.deepEqual(replies(cancel.command_uuid), ['accepted null', 'done disk erased']);
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

test('the installed system answers every command that there is', () => {
  const handlers = installedHandlers();
  assert.deepEqual(Object.keys(handlers).sort(), [...commandKinds].sort());
  for (const kind of ['Reboot', 'PowerOff', 'CollectLogs'] as const) assert.ok('run' in handlers[kind]);
});
