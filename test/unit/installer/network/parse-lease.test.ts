import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { routes4, staticRoutes6 } from '../../../../installer/network/link-routes.ts';
import { type ClientFacts, parseFacts6, parseLease4 } from '../../../../installer/network/parse-lease.ts';

function facts(values: Record<string, string>): ClientFacts {
  return new Map(Object.entries(values));
}

const bound = {
  ip: '10.1.0.50',
  mask: '24',
  router: '10.1.0.1 10.1.0.2',
  dns: '10.1.0.1 10.1.0.2',
  domain: 'lan.test',
  mtu: '1400',
  serverid: '10.1.0.1',
  lease: '300',
};

test('a lease of DHCPv4', () => {
  assert.deepEqual(parseLease4(facts(bound)), {
    address: '10.1.0.50',
    prefixLength: 24,
    routes: [{ to: '0.0.0.0/0', via: '10.1.0.1' }],
    nameservers: ['10.1.0.1', '10.1.0.2'],
    searchDomains: ['lan.test'],
    mtuBytes: 1400,
    server: '10.1.0.1',
    seconds: 300,
  });
  const searched = parseLease4(facts({ ...bound, search: 'a.test b.test. ../etc x;y' }));
  assert.deepEqual(searched?.searchDomains, ['a.test', 'b.test']);
});

test('classless routes replace the router (RFC 3442); a router of 0.0.0.0 is none', () => {
  const staticroutes = '10.9.0.0/16 10.1.0.3 0.0.0.0/0 10.1.0.4 10.8.0.0/16 0.0.0.0';
  assert.deepEqual(parseLease4(facts({ ...bound, staticroutes }))?.routes, [
    { to: '10.9.0.0/16', via: '10.1.0.3' },
    { to: '0.0.0.0/0', via: '10.1.0.4' },
    { to: '10.8.0.0/16', via: null },
  ]);
  assert.deepEqual(parseLease4(facts({ ...bound, router: '0.0.0.0' }))?.routes, []);
  assert.deepEqual(parseLease4(facts({ ...bound, staticroutes: 'junk', router: '10.1.0.1' }))?.routes.length, 1);
});

test('an MTU that no machine may have, and an address that is none, are not taken', () => {
  for (const mtu of ['0', '68', '575', '70000', 'x', '']) {
    assert.equal(parseLease4(facts({ ...bound, mtu }))?.mtuBytes, null, mtu);
  }
  assert.equal(parseLease4(facts({ ...bound, ip: '10.1.0.50; reboot' })), null);
  assert.equal(parseLease4(facts({ mask: '24' })), null);
  assert.equal(parseLease4(facts({ ...bound, mask: '99' }))?.prefixLength, 32);
});

test('whatever a server sends, nothing but addresses and names comes out', () => {
  const names = ['ip', 'mask', 'router', 'dns', 'domain', 'search', 'staticroutes', 'mtu', 'serverid', 'nd1_flags'];
  const more = [
    'nd1_from',
    'nd1_rdnss1_servers',
    'nd1_dnssl1_search',
    'new_dhcp6_name_servers',
    'new_dhcp6_ia_na1_ia_addr1',
  ];
  const word = fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.constantFrom('10.0.0.0/8', 'a.b', 'fe80::1%eth0'));
  const value = fc.array(word, { maxLength: 4 }).map((words) => words.join(' '));
  const reason = fc.constantFrom('ROUTERADVERT', 'BOUND6');
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names, ...more), value), reason, (values, why) => {
      const lease = parseLease4(facts(values));
      const facts6 = parseFacts6(facts({ ...values, reason: why }));
      const texts = [lease, facts6].flatMap((given) =>
        given === null ? [] : [...given.nameservers, ...given.searchDomains, ...(given === lease ? lease.routes : [])],
      );
      for (const text of texts.map((entry) => (typeof entry === 'string' ? entry : entry.to))) {
        assert.match(text, /^[\w.:%/-]+$/);
      }
    }),
  );
});

test('what routers advertise and DHCPv6 servers give', () => {
  assert.deepEqual(
    parseFacts6(
      facts({
        reason: 'ROUTERADVERT',
        nd1_from: 'fe80::1',
        nd1_flags: 'MO',
        nd1_rdnss1_servers: '2001:db8::1 fe80::1%eth0 nonsense',
        nd2_rdnss1_servers: '2001:db8::2',
        nd1_dnssl1_search: 'lan.test b.test',
      }),
    ),
    {
      router: 'fe80::1',
      isManaged: true,
      leased: [],
      nameservers: ['2001:db8::1', 'fe80::1%eth0', '2001:db8::2'],
      searchDomains: ['lan.test', 'b.test'],
    },
  );
  const leased = parseFacts6(
    facts({ reason: 'BOUND6', new_dhcp6_ia_na1_ia_addr1: '2001:db8::7', new_dhcp6_name_servers: '2001:db8::53' }),
  );
  assert.deepEqual([leased?.leased, leased?.nameservers], [['2001:db8::7'], ['2001:db8::53']]);
  assert.equal(parseFacts6(facts({ reason: 'CARRIER' })), null);
});

test('routes: networks without host bits, a gateway outside of them, a peer, no network of a single address', () => {
  const none = { peer: null, gateway: null };
  assert.deepEqual(routes4([{ ...none, address: '10.200.3.77', prefixLength: 22, gateway: '10.200.0.1' }], null), [
    ['10.200.0.0/22', 'src', '10.200.3.77'],
    ['default', 'via', '10.200.0.1', 'onlink', 'src', '10.200.3.77'],
  ]);
  assert.deepEqual(routes4([{ ...none, address: '192.0.2.7', prefixLength: 32, peer: '198.51.100.1' }], null), [
    ['198.51.100.1/32', 'src', '192.0.2.7'],
  ]);
  assert.deepEqual(routes4([{ ...none, address: '192.0.2.7', prefixLength: 32 }], null), []);
  assert.deepEqual(routes4([], parseLease4(facts({ ...bound, mask: '32', staticroutes: '10.9.0.7/24 10.1.0.3' }))), [
    ['10.9.0.0/24', 'via', '10.1.0.3', 'onlink', 'src', '10.1.0.50'],
  ]);
  assert.deepEqual(staticRoutes6([{ ...none, address: '2001:db8::7', prefixLength: 64, gateway: 'fe80::1' }]), [
    ['default', 'via', 'fe80::1', 'onlink', 'metric', '1024'],
  ]);
});
