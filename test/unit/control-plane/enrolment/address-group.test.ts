import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressGroup } from '../../../../control-plane/enrolment/address-group.ts';

test('IPv4 addresses count by themselves, in every form that a socket has them in', () => {
  assert.equal(addressGroup('192.0.2.7'), '192.0.2.7');
  assert.equal(addressGroup('::ffff:192.0.2.7'), '192.0.2.7');
  assert.equal(addressGroup('::FFFF:c000:0207'), '192.0.2.7');
  assert.equal(addressGroup('0:0:0:0:0:ffff:192.0.2.7'), '192.0.2.7');
});

test('IPv6 addresses of one /64 count together, of two apart', () => {
  const group = addressGroup('2001:db8:0:5::1');
  assert.equal(group, '2001:db8:0:5::/64');
  assert.equal(addressGroup('2001:0db8:0000:0005:ffff:ffff:ffff:ffff'), group);
  assert.notEqual(addressGroup('2001:db8:0:6::1'), group);
  assert.notEqual(addressGroup('::1'), addressGroup('2001:db8::1'));
});

test('link-local addresses count by themselves, whatever the interface', () => {
  assert.notEqual(addressGroup('fe80::1%eth0'), addressGroup('fe80::2%eth0'));
  assert.equal(addressGroup('fe80::1%eth0'), addressGroup('fe80:0:0:0:0:0:0:1'));
});

test('the last 64 bits never matter', () => {
  fc.assert(
    fc.property(fc.ipV6(), fc.ipV6(), (a, b) => {
      const expanded = (text: string): string[] => {
        const host = new URL(`http://[${text}]/`).hostname.slice(1, -1);
        const [left = '', right] = host.split('::');
        const head = left === '' ? [] : left.split(':');
        const tail = right === undefined || right === '' ? [] : right.split(':');
        return right === undefined ? head : [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail];
      };
      const [first, second] = [expanded(a), expanded(b)];
      // Forms with a rule of their own are tested above.
      fc.pre(!/^fe[89ab]/.test(first[0] ?? '') && first.slice(0, 5).some((group) => group !== '0'));
      const joined = [...first.slice(0, 4), ...second.slice(4)].join(':');
      assert.equal(addressGroup(a), addressGroup(joined));
    }),
  );
});
