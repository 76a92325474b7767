import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AgentServer, startAgentServer } from '../../builders/agent-server.ts';
import { Resources, waitFor } from '../../resources.ts';

function rows(server: AgentServer, table: 'machines' | 'machine_events'): Record<string, unknown>[] {
  return server.context.db
    .prepare(`SELECT * FROM ${table}`)
    .all()
    .map((row) => ({ ...row }));
}

const inventory = {
  cpu: { model: 'a cpu', sockets: 1, cores: 4, threads: 8 },
  memory_bytes: 16 * 1024 ** 3,
  disks: [],
  nics: [],
  gpus: [],
  firmware: { kind: 'uefi', vendor: null, version: null, secure_boot: false },
  virtualisation: 'none',
  kernel: '6.12.0',
  os: 'installer',
};

test('an inventory is stored and announced; hardware that changes is an event of the machine', async () => {
  await using resources = new Resources();
  const server = await startAgentServer(resources);
  const agent = await server.connect();
  const announced: unknown[] = [];
  server.context.events.subscribe((event) => announced.push(event));
  agent.send({ type: 'inventory', inventory });
  await waitFor('the inventory', () => rows(server, 'machines')[0]?.['inventory'] === JSON.stringify(inventory));
  await waitFor('the announcement', () => announced.length === 1);
  agent.send({ type: 'inventory', inventory });
  // Another kernel, which keeps more of the memory for itself.
  const memoryBytes = inventory.memory_bytes - 300 * 1024 ** 2;
  agent.send({ type: 'inventory', inventory: { ...inventory, kernel: '6.13.0', memory_bytes: memoryBytes } });
  await waitFor('the second announcement', () => announced.length === 2);
  assert.deepEqual(rows(server, 'machine_events'), []);
  agent.send({ type: 'inventory', inventory: { ...inventory, memory_bytes: 8 * 1024 ** 3 } });
  await waitFor('the third announcement', () => announced.length === 3);
  const [event] = rows(server, 'machine_events');
  assert.equal(event?.['kind'], 'hardware_changed');
  assert.match(String(event?.['message']), /memory/);
});
