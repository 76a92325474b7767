import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installerCommandLine } from '../../../../agent/reentry/installer-command-line.ts';
import { type NetworkFacts, parseIpLinks, parseIpRoutes } from '../../../../agent/reentry/ip-facts.ts';
import { type CarriedNetwork, carriedNetwork } from '../../../../agent/reentry/server-link.ts';
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
  addr_info: [
    { family: 'inet', local: '127.0.0.1', prefixlen: 8, scope: 'host', label: 'lo' },
    { family: 'inet', local: '10.255.0.7', prefixlen: 32, scope: 'global', label: 'lo' },
  ],
};
const mac = '52:54:00:00:00:01';
const stub = 'nameserver 127.0.0.53\nsearch example.org\n';

interface Routes {
  /** `ip -j route get fibmatch REMOTE from LOCAL` of iproute2 6.1; none: the kernel knows no way. */
  readonly to?: object;
  readonly defaults?: readonly object[];
  readonly resolvers?: readonly string[];
}

function facts(links: readonly object[], { to, defaults = [], resolvers = [stub] }: Routes): NetworkFacts {
  return {
    links: parseIpLinks(JSON.stringify([lo, ...links])),
    route: parseIpRoutes(to === undefined ? '' : JSON.stringify([to]))[0] ?? null,
    defaultRoutes: parseIpRoutes(JSON.stringify(defaults)),
    resolvers,
  };
}

/** The network that goes along when the connection leads out of the link by which it begins. */
function carried(local: string, links: readonly object[], ifname: string): CarriedNetwork {
  return carriedNetwork({ local, remote: '10.77.0.1' }, facts(links, { to: route(ifname, '10.0.0.1') }));
}

const unreachable = (expected: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ProvisionError && error.code === 'installer_unreachable');
  assert.match(error.message, expected);
  return true;
};

const route = (dev: string, gateway: string, metric?: number) => ({
  ...{ dst: 'default', gateway, dev, protocol: 'static', flags: [] },
  ...(metric === undefined ? {} : { metric }),
});

test('a link with DHCP or router advertisements is named by its card, and nothing else', () => {
  const four = link('ens3', { address: mac }, { local: '10.0.2.15', prefixlen: 24, dynamic: true });
  const expected = { interface: mac, vlan: null, addresses: [], nameservers: [] };
  assert.deepEqual(carried('10.0.2.15', [four], 'ens3'), expected);
  assert.deepEqual(carried('::ffff:10.0.2.15', [four], 'ens3'), expected);
  const six = link('ens3', { address: mac }, { local: 'fd00::15', prefixlen: 64, dynamic: true });
  assert.deepEqual(carried('fd00::15', [six], 'ens3'), expected);
  const local = link('ens3', { address: mac }, { local: 'fe80::1', prefixlen: 64, scope: 'link' });
  assert.deepEqual(carried('fe80::1%ens3', [local], 'ens3'), expected);
});

test('a static address goes along with its gateway, name servers and MTU', () => {
  const card = link('eno1', { address: mac, mtu: 9000 }, { local: '192.0.2.7', prefixlen: 26 });
  const defaults = [route('eno1', '192.0.2.2', 200), route('eno2', '198.51.100.1'), route('eno1', '192.0.2.1', 50)];
  const resolved = 'nameserver 192.0.2.53\nnameserver fe80::1%eno1\nnameserver 2001:db8::53\n';
  // A server in the same network: the usual gateway, for what else the installer needs.
  const to = { dst: '192.0.2.0/26', dev: 'eno1', protocol: 'kernel', scope: 'link', prefsrc: '192.0.2.7', flags: [] };
  const known = facts([card], { to, defaults, resolvers: [resolved, stub] });
  const network = carriedNetwork({ local: '192.0.2.7', remote: '192.0.2.60' }, known);
  assert.deepEqual([network.interface, network.nameservers], [mac, ['192.0.2.53', '2001:db8::53']]);
  const config = { server: 'https://server.test:8443', pin: `sha256:${'a'.repeat(64)}` };
  const line = installerCommandLine({ config, proxy: null, network, running: 'root=x console=ttyS0' });
  assert.match(line, /^console=ttyS0 .* ip=192\.0\.2\.7::192\.0\.2\.1:26:::none:9000 /);
  const { parameters, problems } = parseKernelParameters(line);
  assert.deepEqual(problems, []);
  assert.deepEqual(parameters.addresses, network.addresses);
  const six = link('eno1', { address: mac }, { local: '2001:db8::7', prefixlen: 64 });
  const sixth = carriedNetwork(
    { local: '2001:db8::7', remote: '2001:db8:9::1' },
    facts([six], { to: route('eno1', 'fe80::1') }),
  );
  assert.match(
    installerCommandLine({ config, proxy: null, network: sixth, running: '' }),
    / ip=\[2001:db8::7\]::\[fe80::1\]:64:::none( |$)/,
  );
});

/** The gateway that goes along with a static address. */
function gatewayOf(remote: string, routes: Routes, more: object = {}): string | null {
  const card = link('eno1', { address: mac }, { local: '10.0.0.7', prefixlen: 24, ...more });
  const other = link('eno2', { address: '52:54:00:00:00:02' }, { local: '10.1.0.7', prefixlen: 24 });
  const [address] = carriedNetwork({ local: '10.0.0.7', remote }, facts([card, other], routes)).addresses;
  return address?.method === 'static' ? address.gateway : null;
}

test('the gateway is the one that leads to the server, not that of the default route', () => {
  const defaults = [route('eno1', '10.0.0.1')];
  const to = { dst: '192.0.2.0/24', gateway: '10.0.0.254', dev: 'eno1', flags: [] };
  assert.equal(gatewayOf('192.0.2.5', { to, defaults }), '10.0.0.254', 'a route of its own to the server');
  const policy = { dst: 'default', gateway: '10.0.0.3', dev: 'eno1', table: '100', flags: [] };
  assert.equal(gatewayOf('192.0.2.5', { to: policy }), '10.0.0.3', 'a default route that a rule leads to');
  const hop = (gateway: string, dev: string) => ({ gateway, dev, weight: 1, flags: [] });
  const nexthops = [hop('10.1.0.1', 'eno2'), hop('10.0.0.2', 'eno1')];
  const several = { dst: 'default', flags: [], nexthops };
  assert.equal(gatewayOf('192.0.2.5', { to: several }), '10.0.0.2', 'of several ways, that of the link itself');
  const onLink = { dst: '10.0.0.0/24', dev: 'eno1', scope: 'link', flags: [] };
  assert.equal(gatewayOf('10.0.0.9', { to: onLink, defaults: [several] }), '10.0.0.2', 'the usual one of several');
  assert.equal(gatewayOf('10.0.0.9', { to: onLink }), null);
  const peer = { dst: '10.9.0.1', dev: 'eno1', scope: 'link', flags: [] };
  assert.equal(gatewayOf('10.9.0.1', { to: peer }, { address: '10.9.0.1', prefixlen: 32 }), null, 'point to point');
});

test('a way to the server that the installer could not go is refused, with what to do', () => {
  const onLink = { dst: '192.0.2.0/24', dev: 'eno1', scope: 'link', flags: [] };
  const defaults = [route('eno1', '10.0.0.1')];
  const outside = /192\.0\.2\.5 lies outside of 10\.0\.0\.7\/24 on eno1 and no IPv4 gateway .*route with a gateway/;
  assert.throws(() => gatewayOf('192.0.2.5', { to: onLink, defaults }), unreachable(outside));
  const via = { family: 'inet6', host: 'fe80::1' };
  const sixth = { dst: '192.0.2.0/24', via, dev: 'eno1', flags: [] };
  assert.throws(() => gatewayOf('192.0.2.5', { to: sixth, defaults }), unreachable(outside));
  const elsewhere = /from 10\.0\.0\.7 of eno1, but by way of eno2, .*give eno1 a route to 192\.0\.2\.5, or start/;
  assert.throws(() => gatewayOf('192.0.2.5', { to: route('eno2', '10.1.0.1'), defaults }), unreachable(elsewhere));
  assert.throws(() => gatewayOf('192.0.2.5', { defaults }), unreachable(/by way of no route/));
});

test('a server, proxy or tunnel on this system is gone in the installer', () => {
  const card = link('eno1', { address: mac }, { local: '10.0.0.7', prefixlen: 24 });
  const local = (dst: string, dev: string) => ({ type: 'local', dst, dev, scope: 'host', prefsrc: dst, flags: [] });
  for (const [address, dev] of [
    ['127.0.0.1', 'lo'],
    ['10.0.0.7', 'eno1'],
  ] as const) {
    const known = facts([card], { to: local(address, dev), defaults: [route('eno1', '10.0.0.1')] });
    const expected = new RegExp(`reaches its server at ${address}, which is this system itself .*agent\\.yaml`);
    assert.throws(() => carriedNetwork({ local: address, remote: address }, known), unreachable(expected));
  }
});

test('a VLAN goes along by its number and the card below it', () => {
  const vlan = { linkinfo: { info_kind: 'vlan', info_data: { protocol: '802.1Q', id: 42, flags: ['REORDER_HDR'] } } };
  const links = [
    link('eno1', { address: mac }),
    link('eno1.42', { address: mac, link: 'eno1', ...vlan }, { local: '10.4.2.7', prefixlen: 24, dynamic: true }),
  ];
  const network = carried('10.4.2.7', links, 'eno1.42');
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
  assert.equal(carried('10.0.0.7', [...members, fixed], 'bond0').interface, '52:54:00:00:00:0b');
  const leased = link('bond0', bond, { local: '10.0.0.7', prefixlen: 24, dynamic: true });
  assert.equal(carried('10.0.0.7', [...members, leased], 'bond0').interface, null);
});

test('a bridge leads to its card, not to the machines on it', () => {
  const links = [
    link('eno1', { address: mac, master: 'br0', linkinfo: { info_slave_kind: 'bridge' } }),
    link('vnet0', { address: 'fe:54:00:00:00:09', master: 'br0', linkinfo: { info_kind: 'tun' } }),
    link('br0', { address: mac, linkinfo: { info_kind: 'bridge' } }, { local: '10.0.0.7', prefixlen: 24 }),
  ];
  assert.equal(carried('10.0.0.7', links, 'br0').interface, mac);
});

test('a server that is reached by no network card cannot be reached from the installer', () => {
  const wireguard = { link_type: 'none', linkinfo: { info_kind: 'wireguard' } };
  const links = [link('wg0', wireguard, { local: '10.9.0.2', prefixlen: 32 })];
  for (const [address, dev, expected] of [
    ['10.9.0.2', 'wg0', /wg0, which lies on no network card/],
    ['10.9.0.3', 'wg0', /no link of this system has the address/],
    // An address that a routing protocol announces by each of the links.
    ['10.255.0.7', 'eno1', /from 10\.255\.0\.7 by lo, which lies on no network card/],
  ] as const) {
    assert.throws(() => carried(address, links, dev), unreachable(expected));
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
