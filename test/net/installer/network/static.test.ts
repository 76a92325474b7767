import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { networkConfigFromLink } from '../../../../agent/rootfs/network-config-from-link.ts';
import { InstallerMachine } from '../../../builders/installer-network.ts';
import {
  Namespace,
  type OutsideServer,
  startOutsideServer,
  TestNetwork,
} from '../../../builders/network-namespaces.ts';
import { Resources } from '../../../resources.ts';

const shared = new Resources();
let server: OutsideServer;
before(async () => {
  server = await startOutsideServer(shared);
});
after(async () => await shared[Symbol.asyncDispose]());

describe('addresses given by hand', { concurrency: 4 }, () => {
  test('IPv4 with gateway, MTU and MAC address, and a name server', async () => {
    await using resources = new Resources();
    const network = await TestNetwork.create(resources, server.namespace, {
      addresses: ['10.31.0.1/24'],
      dnsmasq: ['address=/server.test/10.0.0.1'],
    });
    const machine = await InstallerMachine.create(resources);
    machine.describe('eth0');
    await network.plug(machine.namespace, 'eth0', { mac: '52:54:00:aa:bb:05' });
    const ip = 'ip=10.31.0.7::10.31.0.1:255.255.255.0:node:eth0:none:1400:52:54:00:cc:dd:05';
    machine.start(`${ip} nameserver=10.31.0.1`, { server: 'https://server.test:8443', pin: server.pin });
    const { report, description } = await machine.untilWorking('eth0');
    assert.deepEqual([report.addresses, report.gateways], [['10.31.0.7/24'], ['10.31.0.1']]);
    assert.equal(report.macAddress, '52:54:00:cc:dd:05');
    assert.match(await machine.namespace.ip('link', 'show', 'eth0'), /mtu 1400 [\s\S]*52:54:00:cc:dd:05/);
    assert.match(machine.resolvConf, /^nameserver 10\.31\.0\.1$/m);
    assert.match(await machine.namespace.ip('-4', 'route'), /^default via 10\.31\.0\.1 dev eth0/m);
    const config = networkConfigFromLink(description);
    for (const line of [
      'dhcp4: false',
      'macaddress: "52:54:00:aa:bb:05"',
      'macaddress: "52:54:00:cc:dd:05"',
      'gateway4: "10.31.0.1"',
      'mtu: 1400',
      '- "10.31.0.7/24"',
    ]) {
      assert.ok(config.includes(line), `${line} in ${config}`);
    }
  });

  test('one address on the only network of three where the server is; the router asks nothing of the others', async () => {
    await using resources = new Resources();
    const right = await TestNetwork.create(resources, server.namespace, { addresses: ['10.32.0.1/24'], dnsmasq: null });
    const island = await Namespace.create(resources, 'island');
    const machine = await InstallerMachine.create(resources);
    for (const device of ['eth0', 'eth1', 'eth2']) machine.describe(device);
    const wrong = await TestNetwork.create(resources, island, { addresses: ['10.99.0.1/24'], dnsmasq: null });
    await wrong.plug(machine.namespace, 'eth0');
    await right.plug(machine.namespace, 'eth1');
    await wrong.plug(machine.namespace, 'eth2', { carrier: false });
    machine.start('ip=10.32.0.7::10.32.0.1:24:::none', { server: server.url, pin: server.pin, timeoutMs: 1000 });
    await machine.untilWorking('eth1');
    await machine.untilLink('eth0', { stage: 'unused' });
    assert.doesNotMatch(await machine.namespace.ip('-4', 'address', 'show', 'dev', 'eth0'), /inet /);
  });

  test('an address that another machine has is said and not taken, until it is free', async () => {
    await using resources = new Resources();
    const network = await TestNetwork.create(resources, server.namespace, {
      addresses: ['10.33.0.1/24', '10.33.0.7/24'],
      dnsmasq: null,
    });
    const machine = await InstallerMachine.create(resources);
    machine.describe('eth0');
    await network.plug(machine.namespace, 'eth0');
    machine.start('ip=10.33.0.7::10.33.0.1:24::eth0:none', { server: server.url, pin: server.pin });
    const taken = /^another machine on this network has the address 10\.33\.0\.7$/;
    await machine.untilLink('eth0', { stage: 'failed', detail: taken });
    assert.doesNotMatch(await machine.namespace.ip('-4', 'address', 'show', 'dev', 'eth0'), /inet /);
    await server.namespace.ip('address', 'del', '10.33.0.7/24', 'dev', network.name);
    await machine.untilWorking('eth0');
  });

  test('IPv6, and a peer on a point-to-point link', async () => {
    await using resources = new Resources();
    const network = await TestNetwork.create(resources, server.namespace, {
      addresses: ['2001:db8:34::1/64'],
      dnsmasq: null,
    });
    const peers = await TestNetwork.create(resources, server.namespace, { addresses: ['10.34.9.1/32'], dnsmasq: null });
    await server.namespace.ip('route', 'add', '10.34.8.7/32', 'dev', peers.name);
    const machine = await InstallerMachine.create(resources);
    for (const device of ['eth0', 'eth1']) machine.describe(device);
    await network.plug(machine.namespace, 'eth0');
    machine.start(
      'ip=[2001:db8:34::7]::[2001:db8:34::1]:64::eth0:none ip=10.34.8.7:10.34.9.1:10.34.9.1:32::eth1:none',
      {
        server: 'https://[2001:db8::1]:8443',
        pin: server.pin,
      },
    );
    const first = await machine.untilWorking('eth0');
    assert.deepEqual(first.description.addresses, ['2001:db8:34::7/64']);
    assert.match(networkConfigFromLink(first.description), /gateway6: "2001:db8:34::1"/);
    assert.match(await machine.namespace.ip('-6', 'route'), /^default via 2001:db8:34::1 dev eth0/m);
    await peers.plug(machine.namespace, 'eth1');
    machine.say(JSON.stringify({ server: server.url, pin: server.pin }));
    await machine.untilWorking('eth1');
    assert.match(await machine.namespace.ip('-4', 'route'), /^default via 10\.34\.9\.1 dev eth1/m);
    assert.doesNotMatch(await machine.namespace.ip('-6', 'route'), /default/);
  });

  test('a link that no ip= is for is left alone and says so', async () => {
    await using resources = new Resources();
    const network = await TestNetwork.create(resources, server.namespace, {
      addresses: ['10.35.0.1/24'],
      dnsmasq: ['dhcp-range=10.35.0.50,10.35.0.99,5m'],
    });
    const machine = await InstallerMachine.create(resources);
    for (const device of ['eth0', 'eth1']) {
      machine.describe(device);
      await network.plug(machine.namespace, device);
    }
    machine.start('ip=eth1:dhcp', { server: server.url, pin: server.pin });
    await machine.untilWorking('eth1');
    await machine.untilLink('eth0', { stage: 'unused', detail: /^ip= names other links only$/ });
    assert.deepEqual([machine.link('eth0')?.isExcluded, machine.link('eth1')?.isExcluded], [true, false]);
    assert.match(await machine.namespace.ip('link', 'show', 'eth0'), /state DOWN/);
  });
});
