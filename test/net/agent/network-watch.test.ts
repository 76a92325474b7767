import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { addNamespace } from '../../builders/add-namespace.ts';
import { newIdentity, startAgent } from '../../builders/agent-fixture.ts';
import { ScriptedServer } from '../../fakes/scripted-server.ts';
import { Resources, waitFor } from '../../resources.ts';

const address: NetworkInterfaceInfo = {
  address: '192.0.2.7',
  netmask: '255.255.255.0',
  family: 'IPv4',
  mac: '02:00:00:00:00:01',
  internal: false,
  cidr: '192.0.2.7/24',
};
// With full jitter some delay is nearly nothing; of 100 days it is not.
const neverMs = 100 * 86_400_000;
const never = { firstDelayMs: neverMs, longestDelayMs: neverMs, stepTimeoutMs: 5000 };

test('F62 a machine whose network is back connects at once, not at the end of its backoff', async () => {
  await using resources = new Resources();
  const server = await ScriptedServer.start(resources);
  const identity = newIdentity();
  server.knows(identity.machine_uuid, identity.public_key.x);
  let isDown = true;
  const interfaces = () => (isDown ? {} : { eth0: [address] });
  const config = { server: server.origin, plain_http: true };
  let refused = 0;
  server.onPeer = (peer) => {
    if (!isDown) return;
    refused += 1;
    peer.close(1001, 'the network is gone');
  };
  const agent = await startAgent(resources, { config, identity, hardware: { interfaces }, timings: never });
  const { retryInMs } = await agent.event('disconnected');
  assert.ok(retryInMs > 60_000, `${retryInMs} ms`);
  assert.equal(refused, 1);
  isDown = false;
  await server.nextPeer(2);
  await waitFor('the link to stay', () => agent.events.filter(({ kind }) => kind === 'connected').length === 2);
});

const waiter = `
const { NetworkWatch } = await import(process.argv[1]);
const { networkInterfaces } = await import('node:os');
const interfaces = () => {
  const now = networkInterfaces();
  if (now.near === undefined) console.log('gone');
  return now;
};
const watch = new NetworkWatch({ pollMs: 20, interfaces });
const { signal } = new AbortController();
console.log('short', await watch.wait(60, signal));
console.log('long', await watch.wait(60_000, signal));
console.log('again', await watch.wait(60, signal));
console.log('route', await watch.wait(60_000, signal));
console.log('carrier', await watch.wait(60_000, signal));
`;

test('a new address, a new default route and a cable that is back are noticed; what stays is not', async () => {
  await using resources = new Resources();
  const name = await addNamespace(resources, 'watch');
  const ip = async (...args: string[]): Promise<void> => void (await runCommand('ip', ['-n', name, ...args]));
  await ip('link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far');
  for (const link of ['near', 'far']) await ip('link', 'set', link, 'up');
  const module = join(import.meta.dirname, '../../../agent/link/network-watch.ts');
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', '--input-type=module', '-e', waiter, module];
  const child = resources.spawn('ip', ['netns', 'exec', name, ...node], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk;
  });
  const saying = async (line: string): Promise<void> =>
    void (await waitFor(`"${line}" in ${JSON.stringify(said)}`, () => said.includes(`${line}\n`)));
  await saying('short false');
  await ip('address', 'add', '192.0.2.2/24', 'dev', 'near');
  await saying('long true');
  await saying('again false');
  await ip('route', 'add', 'default', 'via', '192.0.2.1');
  await saying('route true');
  await ip('link', 'set', 'far', 'down');
  await waitFor('a look without carrier', () => said.slice(said.indexOf('route true')).includes('gone\n'));
  await ip('link', 'set', 'far', 'up');
  await saying('carrier true');
});
