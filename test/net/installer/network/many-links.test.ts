import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { InstallerMachine } from '../../../builders/installer-network.ts';
import {
  Namespace,
  type OutsideServer,
  startOutsideServer,
  TestNetwork,
} from '../../../builders/network-namespaces.ts';
import { Resources, waitFor } from '../../../resources.ts';

const shared = new Resources();
let server: OutsideServer;
/** Networks from which nothing leads to the server. */
let island: Namespace;
before(async () => {
  server = await startOutsideServer(shared);
  island = await Namespace.create(shared, 'island');
});
after(async () => await shared[Symbol.asyncDispose]());

const dhcp = (net: string, ...more: string[]): string[] => [`dhcp-range=${net}.50,${net}.99,5m`, ...more];
const noRouter = 'dhcp-option=option:router';

// They wait more than they work.
describe('many links', { concurrency: 4 }, () => {
  test('F16 eight links: the right one within seconds, the management controller that answers first does not count, each other says why', async () => {
    await using resources = new Resources();
    const machine = await InstallerMachine.create(resources);
    const make = async (outside: Namespace, net: string, dnsmasq: string[] | null): Promise<TestNetwork> =>
      await TestNetwork.create(resources, outside, { addresses: [`${net}.1/24`], dnsmasq });
    const plug = async (network: TestNetwork, device: string, carrier = true): Promise<void> => {
      if (device !== 'usb0') machine.describe(device, { driver: 'ixgbe' });
      await network.plug(machine.namespace, device, { carrier });
    };
    const right = await make(server.namespace, '10.14.0', null);
    const silent = await make(island, '10.11.0', null);
    machine.describe('usb0', { driver: 'cdc_ether', usb: true });
    await plug(await make(island, '169.254.3', dhcp('169.254.3', noRouter)), 'usb0');
    await plug(silent, 'eth0', false);
    await plug(silent, 'eth1');
    await plug(await make(island, '10.12.0', dhcp('10.12.0', noRouter)), 'eth2');
    await plug(await make(island, '10.13.0', dhcp('10.13.0')), 'eth3');
    await plug(right, 'eth4');
    await plug(await make(island, '10.15.0', dhcp('10.15.0', 'dhcp-option=option:router,10.15.0.77')), 'eth5');
    await plug(silent, 'eth6', false);
    machine.start('', { server: server.url, pin: server.pin, timeoutMs: 4000 });
    const noRoute = (net: string): RegExp =>
      new RegExp(
        `^has ${net}\\.\\d+ but no route to the server 10\\.0\\.0\\.1:8443$`.replaceAll(/(?<=\d)\.(?=\d)/g, '\\.'),
      );
    await machine.untilLink('eth2', { stage: 'failed', detail: noRoute('10.12.0') });
    const silence = /^the server 10\.0\.0\.1:8443 did not answer in 4 s by this link$/;
    await machine.untilLink('eth3', { stage: 'failed', detail: silence });
    const noGateway =
      /^has 10\.15\.0\.\d+, but the server 10\.0\.0\.1:8443 or the gateway 10\.15\.0\.77 does not answer/;
    await machine.untilLink('eth5', { stage: 'failed', detail: noGateway });
    await machine.untilLink('eth1', {
      stage: 'asking',
      detail: /^no answer from a DHCP server or an IPv6 router for \d+ s$/,
    });
    await machine.untilLink('usb0', { stage: 'probing', detail: /management controller/ });
    await right.start(dhcp('10.14.0'));
    const startedMs = Date.now();
    const { report } = await machine.untilWorking('eth4', 10_000);
    assert.ok(report.addresses.some((address) => address.startsWith('10.14.0.')));
    const [answer, told] = ['answered', 'working'].map(
      (kind) => machine.lines.find((line) => line.kind === kind)?.atMs,
    );
    const answeredMs = Number(answer) - startedMs;
    console.log(`answered ${answeredMs} ms after its DHCP server came, told ${Number(told) - Number(answer)} ms later`);
    for (const [name, detail] of [
      ['eth0', /^no cable, or the switch port is off$/],
      ['eth1', /^no answer from a DHCP server/],
      ['eth2', noRoute('10.12.0')],
      ['eth3', silence],
      ['eth5', noGateway],
      ['eth6', /^no cable/],
      ['usb0', /management controller/],
    ] as const) {
      await machine.untilLink(name, { stage: 'unused', detail });
    }
    assert.equal(machine.link('usb0')?.isUsbGadget, true);
    const routes = await machine.namespace.ip('-4', 'route');
    assert.deepEqual(
      routes.match(/dev \w+/g)?.filter((device) => device !== 'dev eth4'),
      [],
    );
    assert.match(routes, /^default via 10\.14\.0\.1 dev eth4/m);
    assert.match(machine.resolvConf, /nameserver 10\.14\.0\.1\n$/);
  });

  test('F17 a link that gets its carrier late still works, and says meanwhile that it has none', async () => {
    await using resources = new Resources();
    const network = await TestNetwork.create(resources, server.namespace, {
      addresses: ['10.16.0.1/24'],
      dnsmasq: dhcp('10.16.0'),
    });
    const machine = await InstallerMachine.create(resources);
    machine.describe('eth0');
    await network.plug(machine.namespace, 'eth0', { carrier: false });
    machine.start('durantic.link_timeout=1', { server: server.url, pin: server.pin });
    const report = await machine.untilLink('eth0', {
      stage: 'no_carrier',
      detail: /^no cable, or the switch port is off$/,
    });
    await machine.until('the patience to be over', () => Date.now() > report.sinceMs + 1500);
    assert.equal(machine.link('eth0')?.stage, 'no_carrier');
    await network.setCarrier('eth0', true);
    await machine.untilWorking('eth0');
  });

  test('two networks with the same addresses: each is asked by itself, and the right one wins', async () => {
    await using resources = new Resources();
    const machine = await InstallerMachine.create(resources);
    const lines = ['dhcp-range=10.17.0.50,10.17.0.50,5m', 'address=/server.test/10.0.0.1'];
    const options = { addresses: ['10.17.0.1/24'], dnsmasq: lines };
    for (const [device, outside] of [
      ['eth0', island],
      ['eth1', server.namespace],
      ['eth2', await Namespace.create(resources, 'island')],
    ] as const) {
      machine.describe(device);
      await (await TestNetwork.create(resources, outside, options)).plug(machine.namespace, device);
    }
    machine.start('', { server: 'https://server.test:8443', pin: server.pin, timeoutMs: 1000 });
    const { report } = await machine.untilWorking('eth1');
    assert.deepEqual(
      report.addresses.filter((address) => !address.includes(':')),
      ['10.17.0.50/24'],
    );
    const addresses0 = async (): Promise<string> => await machine.namespace.ip('-4', 'address', 'show', 'dev', 'eth0');
    await waitFor('eth0 to give its address back', async () => !/inet /.test(await addresses0()));
  });

  test('BOOTIF has the lead over a link that is quicker; nobody waits for it when it fails', async () => {
    await using resources = new Resources();
    const network = await TestNetwork.create(resources, server.namespace, {
      addresses: ['10.18.0.1/24'],
      dnsmasq: dhcp('10.18.0'),
    });
    const slow = await TestNetwork.create(resources, server.namespace, { addresses: ['10.19.0.1/24'], dnsmasq: null });
    const lost = await TestNetwork.create(resources, island, {
      addresses: ['10.19.0.1/24'],
      dnsmasq: dhcp('10.19.0', noRouter),
    });
    const probe = { server: server.url, pin: server.pin };
    for (const [boot, expected] of [
      [slow, 'eth1'],
      [lost, 'eth0'],
    ] as const) {
      const machine = await InstallerMachine.create(resources);
      for (const device of ['eth0', 'eth1']) machine.describe(device);
      await network.plug(machine.namespace, 'eth0');
      await boot.plug(machine.namespace, 'eth1', { mac: '52:54:00:aa:bb:02' });
      machine.start('BOOTIF=01-52-54-00-aa-bb-02', probe, { bootLinkLeadMs: 20_000 });
      if (boot === slow) {
        await machine.untilLink('eth0', {
          stage: 'probing',
          detail: /^leaves the lead to eth1, which the machine was booted from$/,
        });
        await slow.start(dhcp('10.19.0'));
      }
      assert.equal((await machine.untilWorking(expected)).report.isBootLink, expected === 'eth1');
      await machine.stop();
      await network.outside.ip('link', 'del', network.cableOf('eth0'));
      await boot.outside.ip('link', 'del', boot.cableOf('eth1'));
    }
  });

  test('a link that comes later is taken, one that goes is said to be gone, and another takes its place', async () => {
    await using resources = new Resources();
    const network = await TestNetwork.create(resources, server.namespace, {
      addresses: ['10.20.0.1/24'],
      dnsmasq: dhcp('10.20.0'),
    });
    const machine = await InstallerMachine.create(resources);
    // Software devices are no links.
    await machine.namespace.ip('link', 'add', 'br0', 'type', 'bridge');
    machine.start('', { server: server.url, pin: server.pin });
    machine.describe('eth0', { driver: 'r8152', usb: true });
    await network.plug(machine.namespace, 'eth0');
    await machine.untilWorking('eth0');
    machine.describe('eth1');
    await network.plug(machine.namespace, 'eth1');
    await machine.untilLink('eth1', { stage: 'unused', detail: /^eth0 reached the server first$/ });
    await network.outside.ip('link', 'del', network.cableOf('eth0'));
    await machine.until('eth0 to be gone', () =>
      machine.lines.some((line) => line.kind === 'gone' && line.name === 'eth0'),
    );
    await machine.untilWorking('eth1');
    assert.equal(machine.link('br0'), undefined);
  });

  test('durantic.interface= restricts to one, by name or MAC address, and the others say so', async () => {
    await using resources = new Resources();
    const network = await TestNetwork.create(resources, server.namespace, {
      addresses: ['10.21.0.1/24'],
      dnsmasq: dhcp('10.21.0'),
    });
    for (const chosen of ['eth1', '52:54:00:AA:BB:03']) {
      const machine = await InstallerMachine.create(resources);
      for (const device of ['eth0', 'eth1']) machine.describe(device);
      await network.plug(machine.namespace, 'eth0');
      await network.plug(machine.namespace, 'eth1', { mac: '52:54:00:aa:bb:03' });
      machine.start(`durantic.interface=${chosen}`, { server: server.url, pin: server.pin });
      await machine.untilWorking('eth1');
      const detail = machine.link('eth0')?.detail;
      assert.equal(detail, `durantic.interface=${chosen.toLowerCase()} names another link`);
      assert.equal(
        machine.reports('eth0').every(({ stage }) => stage === 'unused'),
        true,
      );
      await machine.stop();
      for (const device of ['eth0', 'eth1']) await network.outside.ip('link', 'del', network.cableOf(device));
    }
  });
});
