import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { runCommand } from '../../../../core/base/run-command.ts';
import { InstallerMachine } from '../../../builders/installer-network.ts';
import { Namespace, TestNetwork } from '../../../builders/network-namespaces.ts';
import { Resources, waitFor } from '../../../resources.ts';

/** Where a person sits: not in the machine's networks, behind a router of each, with one address for all. */
const desk = { ipv4: '10.0.0.1', ipv6: '2001:db8::1' };

/** A network with everything, and somebody behind its router. */
async function networkWithDesk(resources: Resources, net: string, lastHost: string): Promise<TestNetwork> {
  const outside = await Namespace.create(resources, 'desk');
  await outside.ip('address', 'add', `${desk.ipv4}/32`, 'dev', 'lo');
  await outside.ip('address', 'add', `${desk.ipv6}/128`, 'dev', 'lo');
  return await TestNetwork.create(resources, outside, {
    addresses: [`10.${net}.0.1/24`, `2001:db8:${net}::1/64`],
    dnsmasq: [
      `dhcp-range=10.${net}.0.50,10.${net}.0.${lastHost},5m`,
      'enable-ra',
      `dhcp-range=2001:db8:${net}::,ra-only`,
    ],
  });
}

/** The real remote shell's server at port 22 of all addresses. */
async function startDropbear(resources: Resources, machine: InstallerMachine): Promise<void> {
  const key = join(resources.tempDir(), 'key');
  await runCommand('dropbearkey', ['-t', 'ed25519', '-f', key]);
  machine.namespace.spawn(['dropbear', '-F', '-s', '-r', key, '-p', '22']);
}

/** What the remote shell says to somebody who comes from this address; empty when it does not answer in two seconds. */
async function knock({ outside }: TestNetwork, from: string, to: string): Promise<string> {
  const program = `const socket = require('node:net').connect({ host: '${to}', port: 22, localAddress: '${from}' });
    setTimeout(() => process.exit(), 2000);
    socket.on('error', () => process.exit()).once('data', (data) => { console.log(data.toString('latin1')); process.exit(); });`;
  const args = ['netns', 'exec', outside.name, process.execPath, '-e', program];
  return (await runCommand('ip', args, { timeoutMs: 20_000 })).stdout;
}

const waits = { stage: 'probing', detail: /^waits until the server is known$/ } as const;

function addressOf(machine: InstallerMachine, device: string, beginning: string): string | undefined {
  const addresses = machine.link(device)?.addresses ?? [];
  return addresses.find((address) => address.startsWith(beginning))?.replace(/\/\d+$/, '');
}

describe('who reaches a link gets the answer by that link', { concurrency: 2 }, () => {
  test('while no server is known, on all links at once, from their network and from behind their router', async () => {
    await using resources = new Resources();
    const machine = await InstallerMachine.create(resources);
    const networks: [string, TestNetwork][] = [];
    for (const [device, net] of [
      ['eth0', '71'],
      ['eth1', '72'],
    ] as const) {
      machine.describe(device);
      const network = await networkWithDesk(resources, net, '99');
      await network.plug(machine.namespace, device);
      networks.push([device, network]);
    }
    await startDropbear(resources, machine);
    machine.start('', null);
    for (const [device, network] of networks) {
      await machine.untilLink(device, waits);
      const net = device === 'eth0' ? '71' : '72';
      const address4 = await machine.until('an IPv4 address', () => addressOf(machine, device, `10.${net}.`));
      const address6 = await machine.until('an IPv6 address', () => addressOf(machine, device, `2001:db8:${net}:`));
      for (const [from, to] of [
        [desk.ipv4, address4],
        [`10.${net}.0.1`, address4],
        [desk.ipv6, address6],
        [`2001:db8:${net}::1`, address6],
      ] as const) {
        await waitFor(`an answer to ${from} by ${device}`, async () => /^SSH-/.test(await knock(network, from, to)));
      }
    }
    assert.equal(machine.working, null);
    assert.doesNotMatch(await machine.namespace.ip('-4', 'route'), /\S/, 'no link is the machine’s way');
  });

  test('an address that two links have is the first one’s, and the other’s when the first has gone', async () => {
    await using resources = new Resources();
    const machine = await InstallerMachine.create(resources);
    const first = await networkWithDesk(resources, '73', '50');
    const second = await networkWithDesk(resources, '73', '50');
    for (const device of ['eth0', 'eth1']) machine.describe(device);
    await first.plug(machine.namespace, 'eth0');
    await startDropbear(resources, machine);
    machine.start('', null);
    await machine.untilLink('eth0', waits);
    const hasAnswer = async (network: TestNetwork): Promise<boolean> =>
      /^SSH-/.test(await knock(network, desk.ipv4, '10.73.0.50'));
    await waitFor('an answer by eth0', async () => await hasAnswer(first));
    await second.plug(machine.namespace, 'eth1');
    await machine.untilLink('eth1', waits);
    assert.ok(await hasAnswer(first), 'who came first is reached as before');
    await first.setCarrier('eth0', false);
    await waitFor('an answer by eth1', async () => await hasAnswer(second));
    assert.equal((await machine.namespace.ip('-4', 'rule')).match(/^7300:/gm)?.length, 1);
  });
});
