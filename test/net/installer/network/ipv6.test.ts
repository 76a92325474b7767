import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { networkConfigFromLink } from '../../../../agent/rootfs/network-config-from-link.ts';
import { InstallerMachine } from '../../../builders/installer-network.ts';
import { type OutsideServer, startOutsideServer, TestNetwork } from '../../../builders/network-namespaces.ts';
import { Resources } from '../../../resources.ts';

const shared = new Resources();
let server: OutsideServer;
before(async () => {
  server = await startOutsideServer(shared);
});
after(async () => await shared[Symbol.asyncDispose]());

interface Scene {
  readonly network: TestNetwork;
  readonly machine: InstallerMachine;
}

async function start(resources: Resources, net: string, lines: string[], commandLine: string): Promise<Scene> {
  const network = await TestNetwork.create(resources, server.namespace, {
    addresses: [`2001:db8:${net}::1/64`],
    dnsmasq: ['enable-ra', 'address=/server.test/2001:db8::1', ...lines],
  });
  const machine = await InstallerMachine.create(resources);
  machine.describe('eth0');
  await network.plug(machine.namespace, 'eth0', { mac: `52:54:00:aa:bb:${net}` });
  machine.start(commandLine, { server: 'https://server.test:8443', pin: server.pin });
  return { network, machine };
}

const rdnss = (net: string): string => `dhcp-option=option6:dns-server,[2001:db8:${net}::1]`;

describe('IPv6', { concurrency: 4 }, () => {
  test('without DHCP of any kind: address, route and name server come from the router', async () => {
    await using resources = new Resources();
    const lines = ['dhcp-range=2001:db8:41::,ra-only,64', rdnss('41'), 'dhcp-option=option6:domain-search,lan.test'];
    const { machine } = await start(resources, '41', lines, '');
    const { report, description } = await machine.untilWorking('eth0');
    assert.deepEqual(report.addresses, ['2001:db8:41:0:5054:ff:feaa:bb41/64']);
    assert.match(report.gateways.join(), /^fe80::/);
    assert.match(machine.resolvConf, /^search lan\.test\nnameserver 2001:db8:41::1$/m);
    assert.match(await machine.namespace.ip('-6', 'route'), /^default via fe80::\S+ dev eth0/m);
    const config = networkConfigFromLink(description);
    assert.match(config, /dhcp4: false\n\s+accept-ra: true\n/);
    assert.doesNotMatch(config, /dhcp6|addresses/);
  });

  test('DHCPv6 where the router says so', async () => {
    await using resources = new Resources();
    const lines = ['dhcp-range=2001:db8:42::100,2001:db8:42::1ff,64,10m', rdnss('42')];
    const { machine, network } = await start(resources, '42', lines, '');
    const { report, description } = await machine.untilWorking('eth0');
    assert.match(report.addresses.join(), /^2001:db8:42::1[0-9a-f]{2}\/128$/);
    assert.match(network.leases().join('\n'), /2001:db8:42::1[0-9a-f]{2} /);
    assert.match(networkConfigFromLink(description), /dhcp6: true\n\s+accept-ra: true\n/);
    assert.match(machine.resolvConf, /^nameserver 2001:db8:42::1$/m);
  });

  test('name servers by stateless DHCPv6 where the router says so', async () => {
    await using resources = new Resources();
    const { machine, network } = await start(
      resources,
      '43',
      ['dhcp-range=2001:db8:43::,ra-stateless,64', rdnss('43')],
      '',
    );
    const { description } = await machine.untilWorking('eth0');
    assert.equal(description.dhcp6, false);
    assert.match(network.log(), /DHCPINFORMATION-REQUEST/);
  });

  test('ip=auto6 takes addresses from the router only, ip=dhcp6 from DHCPv6 only, ip=dhcp none', async () => {
    await using resources = new Resources();
    const lines = (net: string): string[] => [
      `dhcp-range=2001:db8:${net}::100,2001:db8:${net}::1ff,slaac,64,10m`,
      rdnss(net),
    ];
    const auto = await start(resources, '44', lines('44'), 'ip=auto6');
    const leased = await start(resources, '45', lines('45'), 'ip=dhcp6');
    const none = await start(resources, '46', lines('46'), 'ip=dhcp');
    const first = await auto.machine.untilWorking('eth0');
    assert.deepEqual(first.report.addresses, ['2001:db8:44:0:5054:ff:feaa:bb44/64']);
    const second = await leased.machine.untilWorking('eth0');
    assert.match(second.report.addresses.join(), /^2001:db8:45::1[0-9a-f]{2}\/128$/);
    await none.machine.untilLink('eth0', { stage: 'asking', detail: /^no answer from a DHCP server for \d s$/ });
    assert.deepEqual(none.machine.link('eth0')?.addresses, []);
    assert.doesNotMatch(auto.network.log(), /DHCPSOLICIT/);
  });

  test('ip=link6 reaches a server on the link itself', async () => {
    await using resources = new Resources();
    const { machine, network } = await start(resources, '47', [], 'ip=link6');
    await server.namespace.ip('address', 'add', 'fe80::1/64', 'dev', network.name, 'nodad');
    machine.say(JSON.stringify({ server: 'https://[fe80::1]:8443', pin: server.pin }));
    // Its certificate is for no such address: so far it comes.
    const { addresses } = await machine.untilLink('eth0', {
      stage: 'failed',
      detail: /^the certificate of the server \[fe80::1\]/,
    });
    assert.deepEqual(addresses, []);
  });
});
