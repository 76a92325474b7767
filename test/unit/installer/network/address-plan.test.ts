import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AddressPlan, addressPlan } from '../../../../installer/network/address-plan.ts';
import { parseKernelParameters } from '../../../../protocol/kernel-parameters.ts';

function plan(commandLine: string, ...names: string[]): AddressPlan | null {
  return addressPlan(parseKernelParameters(commandLine).parameters, names.length > 0 ? names : ['eth0']);
}

function ways(commandLine: string): [boolean, string, string] | null {
  const made = plan(commandLine);
  return made === null ? null : [made.dhcp4, made.dhcp6, made.advertisements];
}

test('each method of ip= asks for what dracut asks for', () => {
  assert.deepEqual(ways(''), [true, 'when_told', 'addresses']);
  assert.deepEqual(ways('ip=dhcp'), [true, 'never', 'ignored']);
  assert.deepEqual(ways('ip=dhcp6'), [false, 'always', 'routes']);
  assert.deepEqual(ways('ip=auto6'), [false, 'never', 'addresses']);
  assert.deepEqual(ways('ip=either6'), [false, 'when_told', 'addresses']);
  assert.deepEqual(ways('ip=link6'), [false, 'never', 'ignored']);
  assert.deepEqual(ways('ip=192.0.2.7::192.0.2.1:24:::none'), [false, 'never', 'ignored']);
  assert.deepEqual(ways('ip=[2001:db8::7]::[2001:db8::1]:64:::none'), [false, 'never', 'ignored']);
  assert.deepEqual(ways('ip=[2001:db8::7]:::64:::none'), [false, 'never', 'routes']);
  assert.equal(plan('ip=link6')?.isLinkLocalEnough, true);
  assert.equal(plan('')?.isLinkLocalEnough, false);
});

test('several ip= add up, each for its own link, and the rest is nobody’s', () => {
  const line = 'ip=eth0:dhcp ip=192.0.2.7::192.0.2.1:24:node:eth0:none ip=eth1:auto6';
  assert.deepEqual(plan(line), {
    dhcp4: true,
    dhcp6: 'never',
    advertisements: 'ignored',
    isLinkLocalEnough: false,
    statics: [{ address: '192.0.2.7', prefixLength: 24, peer: null, gateway: '192.0.2.1' }],
    hostname: 'node',
    mtuBytes: null,
    macAddress: null,
    nameservers: [],
  });
  assert.equal(plan(line, 'eth1')?.advertisements, 'addresses');
  assert.equal(plan(line, 'eth2'), null);
  assert.notEqual(plan('ip=eth0.5:dhcp', 'eth0', 'eth0.5'), null);
  assert.notEqual(plan('ip=dhcp', 'eth7'), null);
});

test('MTU, MAC address and name servers: those for all links come before the link’s own', () => {
  const made = plan('ip=eth0:dhcp:9000:52-54-00-AA-BB-CC nameserver=192.0.2.53');
  assert.deepEqual([made?.mtuBytes, made?.macAddress, made?.nameservers], [9000, '52:54:00:aa:bb:cc', ['192.0.2.53']]);
  const own = plan('ip=192.0.2.7::192.0.2.1:24::eth0:none:192.0.2.54:192.0.2.53 nameserver=192.0.2.53');
  assert.deepEqual(own?.nameservers, ['192.0.2.53', '192.0.2.54']);
});
