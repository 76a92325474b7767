import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressPlan } from '../../../../installer/network/address-plan.ts';
import type { DeviceFacts } from '../../../../installer/network/describe-device.ts';
import { leadOver, type Runner } from '../../../../installer/network/lead.ts';
import { identifyLink } from '../../../../installer/network/link-identity.ts';
import { type LinkSituation, linkStage } from '../../../../installer/network/link-stage.ts';
import { defaultNetworkSystem } from '../../../../installer/network/network-system.ts';
import type { KernelLink } from '../../../../installer/network/read-kernel-links.ts';
import { parseKernelParameters } from '../../../../protocol/kernel-parameters.ts';

const plan = addressPlan({ addresses: [], nameservers: [] }, []);
const probing: LinkSituation = {
  unusedBecause: null,
  setUpProblem: null,
  hasCarrier: true,
  isSwitchedOn: true,
  plan,
  hasAddress: true,
  addressProblem: null,
  askingMs: 0,
  hasReached: false,
  hasProbe: true,
  probeProblem: null,
  waitsFor: null,
  firstComplaintMs: 10_000,
  patienceMs: 90_000,
};

const of = (change: Partial<LinkSituation>): string => {
  const { stage, detail } = linkStage({ ...probing, ...change });
  return detail === null ? stage : `${stage}: ${detail}`;
};

test('the stage of a link and its sentence', () => {
  assert.equal(of({}), 'probing');
  assert.equal(of({ hasProbe: false }), 'probing: waits until the server is known');
  assert.equal(of({ waitsFor: 'leaves the lead to eth0' }), 'probing: leaves the lead to eth0');
  assert.equal(of({ hasReached: true }), 'reached');
  assert.equal(of({ probeProblem: 'has 192.0.2.7 but no route' }), 'failed: has 192.0.2.7 but no route');
  assert.equal(of({ hasCarrier: false }), 'no_carrier: no cable, or the switch port is off');
  assert.equal(of({ hasCarrier: false, isSwitchedOn: false }), 'no_carrier');
  assert.equal(of({ setUpProblem: 'ip exited with 2' }), 'failed: cannot be set up: ip exited with 2');
  assert.equal(of({ unusedBecause: 'eth1 reached the server first' }), 'unused: eth1 reached the server first');
});

test('who waits for an address says for how long, in steps, and goes on behind the patience', () => {
  const asking = (askingMs: number, change: Partial<LinkSituation> = {}): string =>
    of({ hasAddress: false, askingMs, ...change });
  const both = 'no answer from a DHCP server or an IPv6 router';
  assert.equal(asking(9999), 'asking');
  assert.equal(asking(10_000), `asking: ${both} for 10 s`);
  assert.equal(asking(34_000), `asking: ${both} for 30 s`);
  assert.equal(asking(89_999), `asking: ${both} for 60 s`);
  assert.equal(asking(90_000), `failed: ${both} for 90 s`);
  assert.equal(asking(3_599_000), `failed: ${both} for 3300 s`);
  const method = (word: string): string =>
    asking(20_000, { plan: addressPlan(parseKernelParameters(`ip=${word}`).parameters, ['eth0']) });
  assert.equal(method('dhcp'), 'asking: no answer from a DHCP server for 20 s');
  assert.equal(method('dhcp6'), 'asking: no answer from a DHCPv6 server for 20 s');
  assert.equal(method('auto6'), 'asking: no answer from an IPv6 router for 20 s');
  assert.equal(asking(0, { addressProblem: 'another machine has it' }), 'failed: another machine has it');
});

const mac = '52:54:00:aa:bb:01';
const hardware: KernelLink = {
  name: 'enp129s0f1np1',
  index: 7,
  macAddress: mac,
  permanentMacAddress: '52:54:00:aa:bb:02',
  isEthernet: true,
  isUp: false,
  hasCarrier: false,
  hasMaster: false,
  mtuBytes: 1500,
  largestMtuBytes: 9000,
  addresses: [],
};

function identify(commandLine: string, link: Partial<KernelLink> = {}, facts: Partial<DeviceFacts> = {}) {
  const { parameters } = parseKernelParameters(commandLine);
  return identifyLink({ ...hardware, ...link }, { driver: 'ice', isUsbGadget: false, ...facts }, parameters);
}

test('a VLAN is a link of its own, whose device has a short name where the usual one is too long', () => {
  const long = identify('durantic.vlan=4094');
  assert.deepEqual([long.name, long.device, long.vlanId], ['enp129s0f1np1.4094', 'vlan4094-7', 4094]);
  const short = identify('durantic.vlan=5 durantic.interface=eth0', { name: 'eth0' });
  assert.deepEqual([short.name, short.device, short.excludedBecause], ['eth0.5', 'eth0.5', null]);
});

test('durantic.interface= and BOOTIF= know the permanent address and the present one', () => {
  for (const address of [mac, '52-54-00-AA-BB-02']) {
    assert.equal(identify(`durantic.interface=${address}`).excludedBecause, null);
    assert.equal(identify(`BOOTIF=01-${address.replaceAll(':', '-')}`).isBootLink, true);
  }
  assert.equal(identify('durantic.interface=eth3').excludedBecause, 'durantic.interface=eth3 names another link');
  assert.equal(identify('ip=eth3:dhcp').excludedBecause, 'ip= names other links only');
  assert.equal(identify('BOOTIF=01-52-54-00-aa-bb-09').isBootLink, false);
});

test('F16 the lead: a short one for the boot link, a long one over a management controller, none for who is out', () => {
  const times = defaultNetworkSystem.times;
  const runner = (identity: ReturnType<typeof identify>, isOut = false): Runner => ({ identity, isOut });
  const boot = identify('BOOTIF=01-52-54-00-aa-bb-01', { name: 'eth0' });
  const plain = runner(identify('', { name: 'eth1' }));
  const gadget = runner(identify('', { name: 'usb0' }, { isUsbGadget: true }));
  const all = (isOut: boolean): Runner[] => [runner(boot, isOut), plain, gadget];
  const lead = 'leaves the lead to eth0, which the machine was booted from';
  assert.equal(leadOver(plain, all(false), 0, times), lead);
  assert.equal(leadOver(plain, all(true), 0, times), null);
  assert.equal(leadOver(plain, all(false), times.bootLinkLeadMs, times), null);
  assert.match(leadOver(gadget, all(false), times.usbGadgetDelayMs - 1, times) ?? '', /tried last/);
  assert.equal(leadOver(gadget, all(false), times.usbGadgetDelayMs, times), null);
  assert.equal(leadOver(gadget, [gadget], 0, times), null);
  const excluded = runner(identify('durantic.interface=usb0', { name: 'eth1' }));
  assert.equal(leadOver(gadget, [gadget, excluded], 0, times), null);
  const first = runner(boot);
  assert.equal(leadOver(first, [first, plain, gadget], 0, times), null);
});

test('the times of a machine that is not under test', () => {
  const { times, ...places } = defaultNetworkSystem;
  assert.deepEqual(Object.values(places), ['/sys', '/proc', '/run/durantic/network', '/etc/resolv.conf']);
  // A link that is slow or wrong has its chance, and holds nobody up for longer than a person waits.
  const { bootLinkLeadMs, usbGadgetDelayMs, probeTimeoutMs, carrierPatienceMs } = times;
  assert.ok(bootLinkLeadMs <= 5000 && bootLinkLeadMs < usbGadgetDelayMs && usbGadgetDelayMs <= 30_000);
  assert.ok(carrierPatienceMs >= 3000, 'cards take seconds to agree on a speed');
  assert.ok(times.pollMs <= 1000 && times.probeRetryMs <= 5000 && probeTimeoutMs <= 30_000);
  assert.ok(times.askAgainMs >= probeTimeoutMs && times.firstComplaintMs >= 5000);
  assert.equal(parseKernelParameters('').parameters.linkTimeoutSeconds, 90);
});
