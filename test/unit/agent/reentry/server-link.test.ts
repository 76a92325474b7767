import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installerCommandLine } from '../../../../agent/reentry/installer-command-line.ts';
import {
  carriedNetwork,
  type NetworkFacts,
  parseIpLinks,
  parseIpRoutes,
} from '../../../../agent/reentry/server-link.ts';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { parseKernelParameters } from '../../../../protocol/kernel-parameters.ts';

interface Address {
  readonly local: string;
  readonly prefixlen: number;
  readonly dynamic?: true;
  readonly scope?: string;
}

/** One link as `ip -j -d addr show` of iproute2 6.1 prints it. */
function link(ifname: string, more: object, ...addresses: Address[]): object {
  return {
    ...{ ifindex: 2, ifname, flags: ['BROADCAST', 'MULTICAST', 'UP', 'LOWER_UP'], mtu: 1500, qdisc: 'fq_codel' },
    ...{ operstate: 'UP', group: 'default', txqlen: 1000, link_type: 'ether', broadcast: 'ff:ff:ff:ff:ff:ff' },
    ...{ promiscuity: 0, min_mtu: 68, max_mtu: 9194, inet6_addr_gen_mode: 'none', num_tx_queues: 1 },
    ...more,
    addr_info: addresses.map((address) => ({
      ...{ family: address.local.includes(':') ? 'inet6' : 'inet', scope: 'global', label: ifname },
      ...{ valid_life_time: 4294967295, preferred_life_time: 4294967295 },
      ...address,
    })),
  };
}

const lo = {
  ...{ ifindex: 1, ifname: 'lo', flags: ['LOOPBACK'], mtu: 65536, link_type: 'loopback', address: '00:00:00:00:00:00' },
  addr_info: [{ family: 'inet', local: '127.0.0.1', prefixlen: 8, scope: 'host', label: 'lo' }],
};
const mac = '52:54:00:00:00:01';
const stub = 'nameserver 127.0.0.53\nsearch example.org\n';

function facts(links: readonly object[], routes: readonly object[] = [], resolvers = [stub]): NetworkFacts {
  return {
    links: parseIpLinks(JSON.stringify([lo, ...links])),
    defaultRoutes: parseIpRoutes(JSON.stringify(routes)),
    resolvers,
  };
}

const route = (dev: string, gateway: string, metric?: number) => ({
  ...{ dst: 'default', gateway, dev, protocol: 'static', flags: [] },
  ...(metric === undefined ? {} : { metric }),
});

test('a link with DHCP or router advertisements is named by its card, and nothing else', () => {
  const four = link('ens3', { address: mac }, { local: '10.0.2.15', prefixlen: 24, dynamic: true });
  const expected = { interface: mac, vlan: null, addresses: [], nameservers: [] };
  assert.deepEqual(carriedNetwork('10.0.2.15', facts([four], [route('ens3', '10.0.2.2', 100)])), expected);
  assert.deepEqual(carriedNetwork('::ffff:10.0.2.15', facts([four])), expected);
  const six = link('ens3', { address: mac }, { local: 'fd00::15', prefixlen: 64, dynamic: true });
  assert.deepEqual(carriedNetwork('fd00::15', facts([six])), expected);
  const local = link('ens3', { address: mac }, { local: 'fe80::1', prefixlen: 64, scope: 'link' });
  assert.deepEqual(carriedNetwork('fe80::1%ens3', facts([local])), expected);
});

test('a static address goes along with its gateway, name servers and MTU', () => {
  const card = link('eno1', { address: mac, mtu: 9000 }, { local: '192.0.2.7', prefixlen: 26 });
  const routes = [route('eno1', '192.0.2.2', 200), route('eno2', '198.51.100.1'), route('eno1', '192.0.2.1', 50)];
  const resolved = 'nameserver 192.0.2.53\nnameserver fe80::1%eno1\nnameserver 2001:db8::53\n';
  const network = carriedNetwork('192.0.2.7', facts([card], routes, [resolved, stub]));
  assert.deepEqual([network.interface, network.nameservers], [mac, ['192.0.2.53', '2001:db8::53']]);
  const config = { server: 'https://server.test:8443', pin: `sha256:${'a'.repeat(64)}` };
  const line = installerCommandLine({ config, proxy: null, network, running: 'root=x console=ttyS0' });
  assert.match(line, /^console=ttyS0 .* ip=192\.0\.2\.7::192\.0\.2\.1:26:::none:9000 /);
  const { parameters, problems } = parseKernelParameters(line);
  assert.deepEqual(problems, []);
  assert.deepEqual(parameters.addresses, network.addresses);
  const six = link('eno1', { address: mac }, { local: '2001:db8::7', prefixlen: 64 });
  const sixth = carriedNetwork('2001:db8::7', facts([six], [route('eno1', '192.0.2.1'), route('eno1', 'fe80::1')]));
  assert.match(
    installerCommandLine({ config, proxy: null, network: sixth, running: '' }),
    / ip=\[2001:db8::7\]::\[fe80::1\]:64:::none( |$)/,
  );
});

test('a VLAN goes along by its number and the card below it', () => {
  const vlan = { linkinfo: { info_kind: 'vlan', info_data: { protocol: '802.1Q', id: 42, flags: ['REORDER_HDR'] } } };
  const links = [
    link('eno1', { address: mac }),
    link('eno1.42', { address: mac, link: 'eno1', ...vlan }, { local: '10.4.2.7', prefixlen: 24, dynamic: true }),
  ];
  const network = carriedNetwork('10.4.2.7', facts(links));
  assert.deepEqual(network, { interface: mac, vlan: 42, addresses: [], nameservers: [] });
});

test('of a bond, a static address names the active member by its own MAC address, DHCP names none', () => {
  const bond = { address: mac, linkinfo: { info_kind: 'bond', info_data: { mode: 'active-backup' } } };
  const member = (name: string, own: string, state: string) =>
    link(name, {
      ...{ address: mac, master: 'bond0', permaddr: own },
      linkinfo: { info_slave_kind: 'bond', info_slave_data: { state, mii_status: 'UP', perm_hwaddr: own } },
    });
  const members = [member('eno1', '52:54:00:00:00:0a', 'BACKUP'), member('eno2', '52:54:00:00:00:0b', 'ACTIVE')];
  const fixed = link('bond0', bond, { local: '10.0.0.7', prefixlen: 24 });
  assert.equal(carriedNetwork('10.0.0.7', facts([...members, fixed])).interface, '52:54:00:00:00:0b');
  const leased = link('bond0', bond, { local: '10.0.0.7', prefixlen: 24, dynamic: true });
  assert.equal(carriedNetwork('10.0.0.7', facts([...members, leased])).interface, null);
});

test('a bridge leads to its card, not to the machines on it; this machine itself needs no network', () => {
  const links = [
    link('eno1', { address: mac, master: 'br0', linkinfo: { info_slave_kind: 'bridge' } }),
    link('vnet0', { address: 'fe:54:00:00:00:09', master: 'br0', linkinfo: { info_kind: 'tun' } }),
    link('br0', { address: mac, linkinfo: { info_kind: 'bridge' } }, { local: '10.0.0.7', prefixlen: 24 }),
  ];
  assert.equal(carriedNetwork('10.0.0.7', facts(links)).interface, mac);
  assert.equal(carriedNetwork('127.0.0.1', facts(links)).interface, null);
});

test('a server that is reached through a tunnel cannot be reached from the installer', () => {
  const wireguard = { link_type: 'none', linkinfo: { info_kind: 'wireguard' } };
  const links = [link('wg0', wireguard, { local: '10.9.0.2', prefixlen: 32 })];
  for (const [address, expected] of [
    ['10.9.0.2', /wg0, which lies on no network card/],
    ['10.9.0.3', /no link of this system has the address/],
  ] as const) {
    assert.throws(
      () => carriedNetwork(address, facts(links)),
      (error: unknown) =>
        error instanceof ProvisionError && error.code === 'installer_unreachable' && expected.test(error.message),
    );
  }
});

test('a proxy goes along; its password, quotes and what is too long do not', () => {
  const network = { interface: mac, vlan: null, addresses: [], nameservers: [] };
  const config = { server: 'http://server.test:8080', plain_http: true };
  const proxy = new URL('http://proxy.test:3128');
  const line = installerCommandLine({ config, proxy, network, running: 'quiet nomodeset console=tty0 secret="a b"' });
  assert.match(line, /^nomodeset console=tty0 durantic\.server=http:\/\/server\.test:8080 /);
  assert.equal(parseKernelParameters(line).parameters.proxy, 'http://proxy.test:3128/');
  assert.doesNotMatch(line, /secret|quiet/);
  const failure = (more: object) => () => installerCommandLine({ config, proxy, network, running: '', ...more });
  const secret = new URL('http://me:pass-word@proxy.test:3128');
  assert.throws(
    failure({ proxy: secret }),
    (error: Error) => /name and password/.test(error.message) && !/pass-word/.test(error.message),
  );
  assert.throws(failure({ running: `console=${'x'.repeat(2040)}` }), /longer than 2047 bytes/);
});
