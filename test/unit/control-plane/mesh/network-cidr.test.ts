import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addressText,
  hostCount,
  parseAddress,
  parseNetworkCidr,
  problemOfNetworkCidr,
} from '../../../../control-plane/mesh/network-cidr.ts';

test('private networks of every size are taken, with all their hosts', () => {
  const sizes: Readonly<Record<string, number>> = {
    '10.0.0.0/8': 16_777_214,
    '172.16.0.0/12': 1_048_574,
    '192.168.0.0/16': 65_534,
    '10.42.0.0/24': 254,
    '172.31.255.252/30': 2,
  };
  for (const [cidr, hosts] of Object.entries(sizes)) {
    assert.equal(problemOfNetworkCidr(cidr), null, cidr);
    assert.equal(hostCount(parseNetworkCidr(cidr)), hosts, cidr);
  }
});

test('everything else is refused with a reason', () => {
  const refused: Readonly<Record<string, RegExp>> = {
    '10.0.0.0/7': /must begin with|private/,
    '8.0.0.0/24': /private/,
    '172.32.0.0/16': /private/,
    '192.0.0.0/8': /private/,
    '10.42.0.7/24': /must begin with the network's address: 10\.42\.0\.0\/24/,
    '10.0.0.0/31': /at most 30/,
    '10.0.0.0/32': /at most 30/,
    '10.0.0.0/0': /must be an IPv4 network/,
    '010.0.0.0/24': /must be an IPv4 network/,
    '10.0.0.256/24': /must be an IPv4 network/,
    '10.0.0.0': /must be an IPv4 network/,
    '10.0.0.0/024': /must be an IPv4 network/,
    '10.0.0.0/24 ': /must be an IPv4 network/,
    'fd00::/64': /must be an IPv4 network/,
    '': /must be an IPv4 network/,
  };
  for (const [cidr, reason] of Object.entries(refused)) assert.match(problemOfNetworkCidr(cidr) ?? '', reason, cidr);
});

test('addresses survive the way to a number and back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (address) => {
      assert.equal(parseAddress(addressText(address)), address);
    }),
  );
});
