import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { CommandResult } from '../../../../agent/commands/command-table.ts';
import { installedHandlers } from '../../../../agent/commands/installed-handlers.ts';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { commandKinds } from '../../../../protocol/commands.ts';
import { handlersOf } from '../../../builders/agent-fixture.ts';
import { waitFor } from '../../../resources.ts';
import { command, open, pausable } from './desk-fixture.ts';

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

test('the installed system answers every command that there is', () => {
  const handlers = installedHandlers();
  assert.deepEqual(Object.keys(handlers).sort(), [...commandKinds].sort());
  for (const kind of ['Reboot', 'PowerOff', 'CollectLogs'] as const) assert.ok('run' in handlers[kind]);
});

test('what is left to do after a command comes behind its outcome, and nothing else of its group runs meanwhile', async () => {
  const order: string[] = [];
  const left = Promise.withResolvers<void>();
  const leaving = {
    run: async (): Promise<CommandResult> => ({
      state: 'done',
      reason: null,
      afterwards: async () => {
        order.push(replies(frame.command_uuid).at(-1) ?? 'nothing');
        await left.promise;
        throw new ProvisionError('tool_failed', 'the machine stays');
      },
    }),
  };
  const { desk, replies, events } = open(handlersOf({ Reboot: leaving, PowerOff: leaving }));
  const frame = command('Reboot', {}, '2026-11-20T12:00:00.000Z');
  desk.take(frame);
  await waitFor('the outcome', () => order.length > 0);
  assert.deepEqual(order, ['done null']);
  const second = command('PowerOff', {}, '2026-11-20T12:00:01.000Z');
  desk.take(second);
  assert.match(replies(second.command_uuid).join(), /^rejected busy: Reboot/);
  left.resolve();
  await waitFor('the problem', () => events.some((event) => event.kind === 'problem'));
  assert.deepEqual(replies(frame.command_uuid), ['accepted null', 'done null'], 'the outcome stands');
});
