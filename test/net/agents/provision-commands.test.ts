import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { ProvisionArgs } from '../../../protocol/commands.ts';
import { commandIs, startAgentServer } from '../../builders/agent-server.ts';
import { Resources } from '../../resources.ts';

function provisionArgs(provisionUuid: string, userData: string | null = null): ProvisionArgs {
  return {
    provision_uuid: provisionUuid,
    image: { reference: 'registry.test/os:1', digest: `sha256:${'0'.repeat(64)}`, platform: 'linux/amd64' },
    credentials: [{ registry: 'registry.test', username: 'u', password: 'a secret' }],
    registry_ca: null,
    proxy: null,
    target_disk: null,
    user_data: userData,
    meta_data: null,
    vendor_data: null,
    network_config: null,
    hostname: null,
    append_karg: [],
    inject_agent: true,
    agent_config: null,
    kexec_installer: false,
    boot: 'reboot',
    read_back: false,
  };
}

test('the arguments of a ProvisionMachine are made at each sending and never stored', async () => {
  await using resources = new Resources();
  let sending = 0;
  const server = await startAgentServer(resources, {
    buildProvisionArgs: (uuid) => {
      sending += 1;
      return provisionArgs(uuid, `user data ${sending}`);
    },
  });
  const identity = server.newMachine();
  const provision_uuid = randomUUID();
  const command = server.sockets.commands.enqueue(identity.machineUuid, 'ProvisionMachine', { provision_uuid });
  const agent = await server.connect({ identity });
  assert.deepEqual((await agent.next('command')).args, provisionArgs(provision_uuid, 'user data 1'));
  const back = await server.connect({ identity });
  assert.deepEqual((await back.next('command')).args, provisionArgs(provision_uuid, 'user data 2'));
  const row = server.context.db.prepare('SELECT * FROM commands').get();
  assert.equal(row?.['args'], JSON.stringify({ provision_uuid }));
  assert.equal(JSON.stringify({ ...row, ...command }).includes('a secret'), false);
});

test('a ProvisionMachine whose run is gone is canceled; one whose arguments cannot be made or sent has failed', async () => {
  await using resources = new Resources();
  const ended: string[] = [];
  const server = await startAgentServer(resources, {
    listeners: [{ commandEnded: ({ status: end, reason }) => ended.push(`${end}: ${reason}`) }],
    buildProvisionArgs: (uuid) => {
      if (uuid === broken) throw new Error('the key is another');
      return uuid === huge ? provisionArgs(uuid, 'x'.repeat(1024 * 1024)) : null;
    },
  });
  const [gone, broken, huge] = [randomUUID(), randomUUID(), randomUUID()];
  const agent = await server.connect();
  for (const provision_uuid of [gone, broken, huge]) {
    const command = server.sockets.commands.enqueue(agent.identity.machineUuid, 'ProvisionMachine', { provision_uuid });
    await commandIs(server, command, provision_uuid === gone ? 'canceled' : 'failed');
  }
  assert.equal(ended.length, 3);
  assert.match(ended[0] ?? '', /canceled: there is nothing to install/);
  assert.match(ended[1] ?? '', /failed: the server could not make/);
  assert.match(ended[2] ?? '', /failed: .*larger than 1048576 bytes/);
  assert.equal(agent.all('command').length, 0);
});
