import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandArgs } from '../../../protocol/commands.ts';
import { startRack } from '../../builders/deployment.ts';
import { Resources } from '../../resources.ts';

test('how a run goes into the installed system, and whether it reads back, is asked for with the run', async () => {
  await using resources = new Resources();
  const { server, machine } = await startRack(resources, {});
  const item = `/api/provisioning/machines/${machine.uuid}`;
  assert.equal((await server.api('PATCH', item, { role_names: ['web'] })).status, 200);
  const orders = [
    [{ boot: 'kexec', read_back: true }, ['kexec', true]],
    [{ boot: 'auto' }, ['auto', false]],
    [{}, ['reboot', false]],
  ] as const;
  for (const [index, [asked, got]] of orders.entries()) {
    const queued = await server.api<{ provision_uuid: string }>('POST', `${item}/provision`, asked);
    assert.equal(queued.status, 200, JSON.stringify(queued.body));
    const command = await machine.agent.next('command', index + 1);
    const { boot, read_back } = commandArgs.ProvisionMachine.parse(command.args);
    assert.deepEqual([boot, read_back], got);
    await machine.agent.acknowledged(machine.agent.reply(command.command_uuid, 'rejected', 'a test'));
  }
  assert.equal((await server.api('POST', `${item}/provision`, { boot: 'magic' })).status, 422);
});
