import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { networkConfigFromLink } from '../../../../agent/rootfs/network-config-from-link.ts';
import { InstallerMachine } from '../../../builders/installer-network.ts';
import { type OutsideServer, startOutsideServer, TestNetwork } from '../../../builders/network-namespaces.ts';
import { Resources, waitFor } from '../../../resources.ts';

const shared = new Resources();
let server: OutsideServer;
before(async () => {
  server = await startOutsideServer(shared);
});
after(async () => await shared[Symbol.asyncDispose]());

interface ShortLeases {
  readonly machine: InstallerMachine;
  readonly udhcpd: ChildProcess;
  readonly serve: () => ChildProcess;
}

/** dnsmasq gives no lease of less than two minutes; udhcpc takes none of less than 16 seconds. */
async function startShortLeases(resources: Resources, net: string): Promise<ShortLeases> {
  const network = await TestNetwork.create(resources, server.namespace, { addresses: [`${net}.1/24`], dnsmasq: null });
  const leases = join(network.folder, 'udhcpd.leases');
  const file = join(network.folder, 'udhcpd.conf');
  const range = [`interface ${network.name}`, `start ${net}.50`, `end ${net}.99`, 'option subnet 255.255.255.0'];
  const files = [`lease_file ${leases}`, `pidfile ${leases}.pid`];
  writeFileSync(
    file,
    `${[...range, `option router ${net}.1`, 'option lease 16', 'min_lease 2', ...files].join('\n')}\n`,
  );
  writeFileSync(leases, '');
  const serve = (): ChildProcess => server.namespace.spawn(['busybox', 'udhcpd', '-f', file]);
  const udhcpd = serve();
  const machine = await InstallerMachine.create(resources);
  machine.describe('eth0');
  await network.plug(machine.namespace, 'eth0');
  machine.start('', { server: server.url, pin: server.pin });
  await machine.untilWorking('eth0');
  return { machine, udhcpd, serve };
}

// They wait more than they work.
describe('DHCP', { concurrency: 4 }, () => {
  test('F18 DHCP: a lease for the MAC address; routes, names and what the installed system is told; the end leaves them', async () => {
    await using resources = new Resources();
    const network = await TestNetwork.create(resources, server.namespace, {
      addresses: ['10.1.0.1/24'],
      dnsmasq: [
        'dhcp-range=10.1.0.50,10.1.0.99,5m',
        'dhcp-option=option:router,10.1.0.1',
        'dhcp-option=option:mtu,1400',
        'dhcp-option=option:domain-search,lan.test,else.test',
        'address=/server.test/10.0.0.1',
      ],
    });
    const machine = await InstallerMachine.create(resources);
    machine.describe('eth0', { driver: 'igb' });
    await network.plug(machine.namespace, 'eth0', { mac: '52:54:00:aa:bb:01' });
    machine.start('', { server: 'https://server.test:8443', pin: server.pin });
    const { report, description } = await machine.untilWorking('eth0');
    const [address = ''] = report.addresses;
    assert.match(address, /^10\.1\.0\.\d+\/24$/);
    assert.deepEqual([report.stage, report.driver, report.gateways], ['reached', 'igb', ['10.1.0.1']]);
    assert.match(network.leases().join(), / 52:54:00:aa:bb:01 10\.1\.0\.\d+ \* 01:52:54:00:aa:bb:01$/);
    assert.equal(machine.resolvConf.replace(/^#.*\n/, ''), 'search lan.test else.test\nnameserver 10.1.0.1\n');
    assert.match(networkConfigFromLink(description), /dhcp4: true\n.*dhcp-identifier: "mac"\n/);
    assert.match(networkConfigFromLink(description), /macaddress: "52:54:00:aa:bb:01"\n.*mtu: 1400\n/);
    await machine.stop();
    assert.match(await machine.namespace.ip('route'), /^default via 10\.1\.0\.1 dev eth0/m);
    assert.match(
      await machine.namespace.ip('address', 'show', 'dev', 'eth0'),
      /mtu 1400 [\s\S]*inet 10\.1\.0\.\d+\/24/,
    );
    await waitFor('all programs to end', async () => (await machine.pids()).length === 0);
  });

  test('classless routes replace the router, and a router outside of a /32 is used', async () => {
    await using resources = new Resources();
    const network = await TestNetwork.create(resources, server.namespace, {
      addresses: ['10.2.0.1/24'],
      dnsmasq: [
        'dhcp-range=10.2.0.50,10.2.0.99,5m',
        'dhcp-option=option:netmask,255.255.255.255',
        'dhcp-option=option:router,10.2.0.254',
        'dhcp-option=option:classless-static-route,10.0.0.1/32,10.2.0.1,10.9.0.7/24,10.2.0.1',
      ],
    });
    const machine = await InstallerMachine.create(resources);
    machine.describe('eth0');
    await network.plug(machine.namespace, 'eth0');
    machine.start('', { server: server.url, pin: server.pin });
    await machine.untilWorking('eth0');
    const routes = await machine.namespace.ip('-4', 'route');
    assert.match(routes, /^10\.0\.0\.1 via 10\.2\.0\.1 dev eth0/m);
    assert.match(routes, /^10\.9\.0\.0\/24 via 10\.2\.0\.1 dev eth0/m);
    assert.doesNotMatch(routes, /default|254/);
  });

  test('a lease is renewed', async () => {
    await using resources = new Resources();
    const { machine } = await startShortLeases(resources, '10.3.0');
    const leasedMs = Date.now();
    const isOver = (): boolean => Date.now() > leasedMs + 17_000;
    await machine.until('the time of one lease to be over', isOver, 20_000);
    assert.equal(machine.lines.filter(({ kind }) => kind === 'working').length, 1);
    assert.equal(machine.link('eth0')?.stage, 'reached');
  });

  test('a lease that nobody renews is given up at its end, and another is taken when there is one', async () => {
    await using resources = new Resources();
    const { machine, udhcpd, serve } = await startShortLeases(resources, '10.5.0');
    udhcpd.kill('SIGKILL');
    await machine.until('the link to be lost', () => machine.working === null, 30_000);
    await machine.untilLink('eth0', { stage: 'asking' });
    assert.doesNotMatch(await machine.namespace.ip('-4', 'address', 'show', 'dev', 'eth0'), /inet /);
    serve();
    await machine.untilWorking('eth0');
  });

  test('without DHCP the link says for how long nobody answered, fails after the patience, and goes on for ever', async () => {
    await using resources = new Resources();
    const network = await TestNetwork.create(resources, server.namespace, {
      addresses: ['10.4.0.1/24'],
      dnsmasq: null,
    });
    const machine = await InstallerMachine.create(resources);
    machine.describe('eth0');
    await network.plug(machine.namespace, 'eth0');
    machine.start('durantic.link_timeout=3 ip=dhcp', { server: server.url, pin: server.pin });
    await machine.untilLink('eth0', { stage: 'asking', detail: /^no answer from a DHCP server for 1 s$/ });
    await machine.untilLink('eth0', { stage: 'failed', detail: /^no answer from a DHCP server for 3 s$/ });
    await network.start(['dhcp-range=10.4.0.50,10.4.0.99,5m']);
    await machine.untilWorking('eth0');
    assert.deepEqual(
      machine
        .reports('eth0')
        .map(({ stage }) => stage)
        .filter((stage, index, all) => stage !== all[index - 1]),
      ['no_carrier', 'asking', 'failed', 'probing', 'reached'],
    );
  });

  test('a kernel that is told to do without IPv6', async () => {
    await using resources = new Resources();
    const network = await TestNetwork.create(resources, server.namespace, {
      addresses: ['10.6.0.1/24'],
      dnsmasq: null,
    });
    const machine = await InstallerMachine.create(resources);
    for (const name of ['all', 'default']) await machine.namespace.set(`net.ipv6.conf.${name}.disable_ipv6`, '1');
    machine.describe('eth0');
    await network.plug(machine.namespace, 'eth0');
    machine.start('', { server: server.url, pin: server.pin });
    await machine.untilLink('eth0', { stage: 'asking', detail: /^no answer from a DHCP server/ });
    await network.start(['dhcp-range=10.6.0.50,10.6.0.99,5m']);
    await machine.untilWorking('eth0');
  });

  test('an installer that was killed takes its clients with it, and the next one finds its way', async () => {
    await using resources = new Resources();
    const network = await TestNetwork.create(resources, server.namespace, {
      addresses: ['10.7.0.1/24', '2001:db8:7::1/64'],
      dnsmasq: ['dhcp-range=10.7.0.50,10.7.0.99,5m', 'enable-ra', 'dhcp-range=2001:db8:7::,ra-only,64'],
    });
    const machine = await InstallerMachine.create(resources);
    machine.describe('eth0');
    await network.plug(machine.namespace, 'eth0');
    machine.start('', { server: server.url, pin: server.pin });
    await machine.untilWorking('eth0');
    machine.kill();
    await waitFor('the clients to end', async () => (await machine.pids()).length === 0);
    machine.start('', { server: server.url, pin: server.pin });
    const { report } = await machine.untilWorking('eth0');
    assert.equal(report.addresses.filter((address) => address.startsWith('10.7.0.')).length, 1);
    assert.equal((await machine.namespace.ip('-4', 'rule')).match(/^7300:/gm)?.length, 1);
  });
});
