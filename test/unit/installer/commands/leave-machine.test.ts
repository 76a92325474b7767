import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { LeaveBy } from '../../../../agent/boot/reboot.ts';
import { Outbox } from '../../../../agent/link/outbox.ts';
import type { Report } from '../../../../agent/link/outbox-frames.ts';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { silentLogger } from '../../../../core/base/logger.ts';
import type { InstallerContext } from '../../../../installer/commands/installer-context.ts';
import { type Departure, leaveMachine } from '../../../../installer/commands/leave-machine.ts';
import { newIdentity } from '../../../builders/agent-fixture.ts';

const provisionUuid = randomUUID();
const intoSystem = { detail: 'into the system on /dev/sda', handOver: null, provisionUuid };

/** Leaves a machine on which only some ways lead away. */
async function leaveBy(
  departure: Departure,
  works: readonly LeaveBy[],
  { signal = new AbortController().signal, untold = [] }: { signal?: AbortSignal; untold?: readonly Report[] } = {},
) {
  const tried: LeaveBy[] = [];
  const notices: string[] = [];
  const reports: Report[] = [];
  const outbox = new Outbox({ bootId: 'boot' });
  for (const report of untold) outbox.add(report);
  const installer: InstallerContext = {
    identity: newIdentity(),
    outbox,
    log: silentLogger,
    ...{ runDir: '/nonexistent', proxy: null, agentBundle: null, workingLink: () => null },
    findSystems: async () => ({ systems: [], passedOver: [] }),
    emit: (event) => {
      if (event.kind === 'notice') notices.push(event.text);
    },
    leave: async (how) => {
      tried.push(how);
      if (signal.aborted) throw signal.reason;
      if (!works.includes(how)) throw new ProvisionError('tool_failed', `${how} exited with 1`);
    },
  };
  const context = { flush: async () => untold.length === 0, report: (each: Report) => void reports.push(each), signal };
  const error: unknown = await leaveMachine(departure, installer, context).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  return { tried, notices, reports, error };
}

test('a machine that leaves says nothing more of its run', async () => {
  const { tried, notices, reports, error } = await leaveBy({ how: 'kexec', ...intoSystem }, ['kexec']);
  assert.deepEqual([tried, notices, reports, error], [['kexec'], [], [], null]);
});

test('where kexec fails after an installation the machine restarts, and the screen says why', async () => {
  const { tried, notices, reports, error } = await leaveBy({ how: 'kexec', ...intoSystem }, ['reboot']);
  assert.deepEqual([tried, reports, error], [['kexec', 'reboot'], [], null]);
  assert.match(
    notices.join(),
    /^kexec into the installed system failed, the machine restarts instead: kexec exited with 1$/,
  );
});

test('the server hears that a machine stays in the installer after its installation, and that its disk is complete', async () => {
  const { tried, reports, error } = await leaveBy({ how: 'reboot', ...intoSystem }, []);
  assert.deepEqual(tried, ['reboot']);
  assert.ok(error instanceof ProvisionError && error.code === 'tool_failed' && error.diskState === 'complete');
  const message =
    'the installed system is complete, but the machine did not leave for it; switch it off and on: reboot exited with 1';
  assert.deepEqual(reports, [
    {
      ...{ type: 'provision_result', provision_uuid: provisionUuid, outcome: 'failed' },
      ...{ code: 'tool_failed', message, disk_state: 'complete' },
    },
  ]);
});

test('an end without a run (reboot, power off) reports none and tries nothing else', async () => {
  const { tried, reports, error } = await leaveBy({ how: 'kexec', detail: 'away', handOver: null }, []);
  assert.deepEqual([tried, reports], [['kexec'], []]);
  assert.ok(error instanceof ProvisionError);
});

test('an installer that stops meanwhile is no failure of the run', async () => {
  const reason = new ProvisionError('aborted', 'the agent stops');
  const { tried, reports, error } = await leaveBy({ how: 'kexec', ...intoSystem }, [], {
    signal: AbortSignal.abort(reason),
  });
  assert.deepEqual([tried, reports, error], [['kexec'], [], reason]);
});

const commandUuid = randomUUID();
const untold: readonly Report[] = [
  { type: 'command_reply', command_uuid: commandUuid, state: 'accepted', reason: null },
  { type: 'log', command_uuid: null, lines: ['a line'] },
  { type: 'command_reply', command_uuid: commandUuid, state: 'done', reason: 'the machine restarts' },
];

test('what the server was not told when the machine restarts is said', async () => {
  const departure: Departure = { how: 'reboot', detail: 'the machine restarts', handOver: null };
  const { tried, notices, error } = await leaveBy(departure, ['reboot'], { untold });
  assert.deepEqual([tried, error], [['reboot'], null]);
  const expected = 'a command is done (the machine restarts); 2 other reports';
  assert.deepEqual(notices, [`The server does not answer and is not told: ${expected}`]);
});

test('the system that the machine leaves for takes it over; where it cannot, that is said, and the machine leaves', async () => {
  let taken = 0;
  const handOver = async (): Promise<void> => {
    taken += 1;
  };
  const departure: Departure = { how: 'reboot', detail: 'into the system', handOver };
  assert.deepEqual((await leaveBy(departure, ['reboot'], { untold })).notices, []);
  assert.equal(taken, 1);
  await leaveBy(departure, ['reboot']);
  assert.equal(taken, 1, 'the server has everything');
  const broken = async (): Promise<never> => {
    throw new ProvisionError('command_not_done', 'the root file system has errors');
  };
  const { tried, notices, error } = await leaveBy({ ...departure, handOver: broken }, ['reboot'], { untold });
  assert.deepEqual([tried, error], [['reboot'], null]);
  assert.match(
    notices.join(),
    /is done .*; 2 other reports\. The installed system cannot .*: the root file system has errors$/,
  );
});
