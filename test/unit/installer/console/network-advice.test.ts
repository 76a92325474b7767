import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networkAdvice } from '../../../../installer/console/network-advice.ts';
import type { LinkReport } from '../../../../installer/state/installer-events.ts';
import { initialInstallerState } from '../../../../installer/state/installer-state.ts';
import { link } from '../../../builders/installer-scenes.ts';

const unplugged = link('eth0', { stage: 'no_carrier', detail: 'no cable, or the switch port is off' });
const unanswered = link('eth1', { stage: 'asking', detail: 'no answer from a DHCP server for 10 s' });
const unused = link('eth2', { stage: 'unused', detail: 'durantic.interface=eth0 was given' });

const excluded = link('eth0', {
  stage: 'unused',
  isExcluded: true,
  macAddress: '52:54:00:00:00:01',
  detail: 'durantic.interface=eno1 names another link',
});

const adviceFor = (...links: LinkReport[]): string | null => networkAdvice({ ...initialInstallerState, links });

test('without a cable a person is asked for one; where nobody answers, to look at DHCP and VLAN', () => {
  assert.match(adviceFor(unplugged) ?? '', /^Plug in a cable/);
  assert.match(adviceFor(unplugged, unused) ?? '', /^Plug in a cable/);
  assert.match(adviceFor(unanswered) ?? '', /DHCP server.*right VLAN.*durantic\.vlan=/);
  assert.match(adviceFor(unplugged, { ...unanswered, stage: 'failed' }) ?? '', /DHCP server/);
});

test('where the command line leaves out every link, a person is told which there are and what to write', () => {
  const other = { ...excluded, name: 'eth1', macAddress: '52:54:00:00:00:02' };
  const advice = adviceFor(excluded, other) ?? '';
  assert.match(advice, /It has eth0 \(52:54:00:00:00:01\), eth1 \(52:54:00:00:00:02\)\./);
  assert.match(advice, /MAC address of one in durantic\.interface=.*no name in ip=.*eno1/);
  const many = Array.from({ length: 7 }, (_, index) => ({ ...excluded, name: `eth${index}` }));
  assert.match(adviceFor(...many) ?? '', /eth3 \([^)]*\) and 3 more\./);
  assert.equal(adviceFor(excluded, unused), null, 'the other one only rests');
  assert.match(adviceFor(excluded, unplugged) ?? '', /^Plug in a cable/);
});

test('nothing is advised while a link may still come up, one has an address, or something else is said to be wrong', () => {
  assert.equal(adviceFor(), null);
  assert.equal(adviceFor(unused), null);
  assert.equal(adviceFor({ ...unplugged, detail: null }), null, 'a card that was just switched on');
  assert.equal(adviceFor({ ...unanswered, detail: null }, unplugged), null, 'asked a moment ago');
  assert.equal(adviceFor(unplugged, link('eth3', { stage: 'probing', addresses: ['192.0.2.7/24'] })), null);
  assert.equal(adviceFor(link('eth3', { stage: 'failed', detail: 'no route', addresses: ['192.0.2.7/24'] })), null);
  const trouble = { code: 'server_unreachable', what: 'a', todo: 'b', retryAtMs: null } as const;
  assert.equal(networkAdvice({ ...initialInstallerState, links: [unplugged], trouble }), null);
});
