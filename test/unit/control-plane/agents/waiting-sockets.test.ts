import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressGroup, WaitingSockets } from '../../../../control-plane/agents/waiting-sockets.ts';

test('an IPv4 address is itself in either notation; IPv6 addresses of one /64 are one', () => {
  assert.equal(addressGroup('192.0.2.1'), '192.0.2.1');
  assert.equal(addressGroup('::ffff:192.0.2.1'), '192.0.2.1');
  assert.equal(addressGroup('2001:db8:0:7::1'), addressGroup('2001:0db8:0000:0007:ffff:1:2:3'));
  assert.notEqual(addressGroup('2001:db8:0:7::1'), addressGroup('2001:db8:0:8::1'));
  assert.equal(addressGroup('fe80::1%eth0'), addressGroup('fe80::2%eth1'));
  assert.equal(addressGroup('::1'), '0:0:0:0');
  assert.equal(addressGroup(''), '');
});

test('places are limited per address and in total, and are given back once', () => {
  const waiting = new WaitingSockets({ waitingPerAddress: 2, waitingInTotal: 3 });
  const first = waiting.enter('192.0.2.1');
  assert.ok(first !== undefined && waiting.enter('192.0.2.1') !== undefined);
  assert.equal(waiting.enter('192.0.2.1'), undefined);
  assert.ok(waiting.enter('192.0.2.2') !== undefined);
  assert.equal(waiting.enter('192.0.2.3'), undefined);
  first();
  first();
  assert.equal(waiting.total, 2);
  assert.ok(waiting.enter('192.0.2.3') !== undefined);
  assert.equal(waiting.enter('192.0.2.4'), undefined);
});
