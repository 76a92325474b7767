import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startInstallingRun } from '../../builders/installing-run.ts';
import { Resources } from '../../resources.ts';

test('a machine that cannot leave the installer ends its run as an error at once, with a complete disk', async () => {
  await using resources = new Resources();
  const { server, machine, uuid, run } = await startInstallingRun(resources);
  await machine.install(uuid);
  assert.equal(run().current_step, 'booting');
  const end = { outcome: 'failed', code: 'tool_failed', message: 'the machine stays', disk_state: 'complete' };
  const frame = { type: 'provision_result', provision_uuid: uuid, ...end };
  await machine.agent.acknowledged(machine.agent.sendNumbered(frame));
  const { status, error_code, error_message, disk_state } = run();
  assert.deepEqual(
    [status, error_code, error_message, disk_state],
    ['error', 'tool_failed', 'the machine stays', 'complete'],
  );
  // Switched off and on it is an installed machine; its run keeps the outcome it had.
  await machine.bootInstalled(uuid);
  assert.deepEqual([run().status, server.describe(machine.uuid).installed_provision_uuid], ['error', uuid]);
});
