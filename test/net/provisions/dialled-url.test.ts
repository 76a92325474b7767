import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { type AgentConfig, parseAgentConfig } from '../../../agent/config/read-agent-config.ts';
import { commandArgs } from '../../../protocol/commands.ts';
import { startRack } from '../../builders/deployment.ts';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import { connectTestAgent, insertTestMachine, type TestIdentity } from '../../builders/test-agent.ts';
import { freePort, Resources } from '../../resources.ts';

/** Which URL the agent.yaml in these arguments names, and with what it is to be believed. */
function configOf(args: unknown): AgentConfig {
  return parseAgentConfig(commandArgs.ProvisionMachine.parse(args).agent_config ?? '', 'agent.yaml');
}

/** An installer of this machine that dials `origin` (over `url`) and gets the command; its agent.yaml. */
async function dial(
  resources: Resources,
  server: TestServer,
  { identity, url, origin = url }: { readonly identity: TestIdentity; readonly url: string; readonly origin?: string },
): Promise<AgentConfig> {
  const options = { url, origin, identity, ca: server.caCertificate, hello: { boot_id: randomUUID() } };
  const agent = await connectTestAgent(options);
  resources.defer('cut the agent', () => agent.cut());
  return configOf((await agent.next('command')).args);
}

test('the installed system is told the public URL that the newest installer of this machine dialled, also after a restart of the server', async () => {
  await using resources = new Resources();
  const port = await freePort();
  const [elsewhere, byAddress, byName] = [
    'https://first.test',
    `https://127.0.0.1:${port}`,
    `https://localhost:${port}`,
  ];
  const listen = { host: '127.0.0.1', port };
  const { server, machine } = await startRack(resources, {
    settings: { listen, publicUrls: [elsewhere, byAddress, byName] },
  });
  const { identity } = machine;
  const item = `/api/provisioning/machines/${machine.uuid}`;
  assert.equal((await server.api('PATCH', item, { role_names: ['web'] })).status, 200);
  const queued = await server.api<{ provision_uuid: string }>('POST', `${item}/provision`, { mode: 'rebuild' });
  assert.equal(queued.status, 200, JSON.stringify(queued.body));
  const { provision_uuid: run } = queued.body;

  const first = configOf((await machine.agent.next('command')).args);
  assert.deepEqual([first.server, first.pin], [byAddress, server.pin]);

  // A newer connection of the same machine, by the other name: that is the way that works now.
  const replaced = await dial(resources, server, { identity, url: byName });
  assert.deepEqual(replaced, { ...first, server: byName });
  await machine.agent.closed;
  // A proxy before the server, with a name of its own: the Host header is not the URL that was dialled.
  assert.equal((await dial(resources, server, { identity, url: byAddress, origin: elsewhere })).server, elsewhere);
  assert.equal((await dial(resources, server, { identity, url: byName })).server, byName);

  // Another machine's way is its own.
  const dialled = server.context.db.prepare('SELECT dialled_url FROM machines WHERE uuid = ?');
  const other = insertTestMachine(server.context);
  await connectTestAgent({ url: byAddress, identity: other, ca: server.caCertificate });
  assert.equal(dialled.get(other.machineUuid)?.['dialled_url'], byAddress);
  assert.equal(dialled.get(machine.uuid)?.['dialled_url'], byName);

  await server.close();
  const { dataDir } = server;
  const again = await startTestServer(resources, {
    settings: { dataDir, listen, publicUrls: [elsewhere, byAddress, byName] },
  });
  assert.equal(configOf(again.services.provisions.buildArgs(run)).server, byName, 'nobody has dialled yet');
  await again.close();
  const renamed = await startTestServer(resources, {
    settings: { dataDir, listen, publicUrls: [elsewhere, byAddress] },
  });
  assert.equal(
    configOf(renamed.services.provisions.buildArgs(run)).server,
    elsewhere,
    'the URL is none of its own any more',
  );
  assert.equal((await dial(resources, renamed, { identity, url: byAddress })).server, byAddress);
});
