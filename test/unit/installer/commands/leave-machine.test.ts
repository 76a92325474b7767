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
const intoSystem = { detail: 'into the system on /dev/sda', heir: null, provisionUuid };

/** Leaves a machine on which only some ways lead away. */
async function leaveBy(departure: Departure, works: readonly LeaveBy[], signal = new AbortController().signal) {
  const tried: LeaveBy[] = [];
  const notices: string[] = [];
  const reports: Report[] = [];
  const installer: InstallerContext = {
    identity: newIdentity(),
    outbox: new Outbox({ bootId: 'boot' }),
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
  const context = { flush: async () => true, report: (each: Report) => void reports.push(each), signal };
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
  const { tried, reports, error } = await leaveBy({ how: 'kexec', detail: 'away', heir: null }, []);
  assert.deepEqual([tried, reports], [['kexec'], []]);
  assert.ok(error instanceof ProvisionError);
});

test('an installer that stops meanwhile is no failure of the run', async () => {
  const reason = new ProvisionError('aborted', 'the agent stops');
  const { tried, reports, error } = await leaveBy({ how: 'kexec', ...intoSystem }, [], AbortSignal.abort(reason));
  assert.deepEqual([tried, reports, error], [['kexec'], [], reason]);
});
