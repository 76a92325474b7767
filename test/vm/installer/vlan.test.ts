import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources, waitFor } from '../../resources.ts';
import { GuestLan } from '../guest-lan.ts';
import { InstallerGuest } from '../installer-guest.ts';
import { lanHost, startInstallerServer } from '../installer-server.ts';

test('durantic.vlan= leads to the server by the VLAN, where the cable without it has DHCP that leads nowhere', async () => {
  await using resources = new Resources();
  const server = await startInstallerServer(resources);
  const lan = await GuestLan.create(resources);
  await lan.join(server);
  const cable = await lan.addCable();
  await lan.startDhcp(cable, { hasRouter: false });
  const script = new URL('../vlan-relay.py', import.meta.url).pathname;
  const relay = resources.spawn('ip', ['netns', 'exec', lan.netns, 'python3', script, cable.tap, 'vlan5', '5'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  relay.stdout?.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  await waitFor('the relay', () => printed.includes('ready'));
  const vlan = { ...cable, tap: 'vlan5', subnet: '10.77.200' };
  await lan.ip('address', 'add', `${vlan.subnet}.1/24`, 'dev', vlan.tap);
  await lan.ip('link', 'set', vlan.tap, 'up');
  const dhcp = await lan.startDhcp(vlan);
  const guest = await InstallerGuest.start(resources, {
    ...{ server, medium: 'direct', firmware: 'seabios', host: lanHost, netns: lan.netns },
    // This card computes its checksums: the relay hands on what the guest sends as it is.
    network: { ...cable.card, model: 'e1000' },
    append: 'durantic.vlan=5',
  });
  const machine = await guest.waitForMachine(() => true, { timeoutMs: 240_000 });
  const [mac] = guest.identity.macs;
  const lease = dhcp.leases().find((entry) => entry.mac === mac);
  assert.match(lease?.address ?? '', /^10\.77\.200\./);
  assert.equal(lease?.clientId, `01:${mac}`);
  assert.ok(machine.facts?.nics.some((nic) => nic.mac === mac));
});
