import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LastRun } from '../../../../control-plane/machines/last-runs.ts';
import { provisionStateOf } from '../../../../control-plane/machines/provision-state.ts';
import type { RunStatus } from '../../../../protocol/api/provisions.ts';

function run(status: RunStatus, diskState: string | null = null, hasInstalled = status === 'completed'): LastRun {
  const summary = { uuid: 'x', status, current_step: '', current_message: '', progress_percent: 0, rate_bps: null };
  return { summary, diskState, hasInstalled };
}

const fresh = { isInInstaller: false, installedProvisionUuid: null };
const installed = { isInInstaller: false, installedProvisionUuid: 'x' };
const rescue = { isInInstaller: true, installedProvisionUuid: 'x' };

for (const [what, facts, state] of [
  ['no run, never installed', { run: null, ...fresh }, 'Discovery mode'],
  ['no run, a system that durantic installed', { run: null, ...installed }, 'Installed'],
  ['a completed run without an agent', { run: run('completed'), ...fresh }, 'Installed'],
  [
    'canceled after an installation without an agent',
    { run: run('canceled', 'untouched', true), ...fresh },
    'Installed',
  ],
  ['canceled where nobody knows what became of the disk', { run: run('canceled', null, true), ...installed }, 'Failed'],
  ['canceled when the new system was complete', { run: run('canceled', 'complete'), ...installed }, 'Installed'],
  ['a queued run', { run: run('queued'), ...installed }, 'Install pending'],
  ['a run in progress', { run: run('in_progress'), ...rescue }, 'Installing'],
  ['a completed run', { run: run('completed'), ...installed }, 'Installed'],
  ['a degraded run', { run: run('degraded'), ...installed }, 'Installed'],
  ['an installed machine in the installer', { run: run('completed'), ...rescue }, 'Discovery mode'],
  ['an error', { run: run('error'), ...installed }, 'Failed'],
  ['a timeout', { run: run('timeout'), ...rescue }, 'Failed'],
  ['a template that failed', { run: run('render_failed'), ...installed }, 'Failed'],
  ['canceled before the disk was touched', { run: run('canceled', 'untouched'), ...installed }, 'Installed'],
  ['canceled on a new machine', { run: run('canceled', 'untouched'), ...fresh }, 'Discovery mode'],
  ['canceled with half a system on the disk', { run: run('canceled', 'partial'), ...installed }, 'Failed'],
  ['canceled after the disk was erased', { run: run('canceled', 'erased'), ...installed }, 'Failed'],
] as const) {
  test(`${what} is shown as ${state}`, () => assert.equal(provisionStateOf(facts), state));
}
