import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networkAdvice } from '../../../../installer/console/network-advice.ts';
import type { LinkReport } from '../../../../installer/state/installer-events.ts';
import { initialInstallerState } from '../../../../installer/state/installer-state.ts';
import { link } from '../../../builders/installer-scenes.ts';

const unplugged = link('eth0', { stage: 'no_carrier', detail: 'no cable, or the switch port is off' });
const unanswered = link('eth1', { stage: 'asking', detail: 'no answer from a DHCP server for 10 s' });
const unused = link('eth2', { stage: 'unused', detail: 'durantic.interface=eth0 was given' });

const adviceFor = (...links: LinkReport[]): string | null => networkAdvice({ ...initialInstallerState, links });

test('without a cable a person is asked for one; where nobody answers, to look at DHCP and VLAN', () => {
  assert.match(adviceFor(unplugged) ?? '', /^Plug in a cable/);
  assert.match(adviceFor(unplugged, unused) ?? '', /^Plug in a cable/);
  assert.match(adviceFor(unanswered) ?? '', /DHCP server.*right VLAN.*durantic\.vlan=/);
  assert.match(adviceFor(unplugged, { ...unanswered, stage: 'failed' }) ?? '', /DHCP server/);
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
