import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LinkDescription, networkConfigFromLink } from '../../../agent/rootfs/network-config-from-link.ts';
import { debianPython } from '../../builders/debian-python.ts';

const macAddress = '52:54:00:12:34:56';
const tagged: LinkDescription = {
  ...{ name: 'eth0', macAddress, vlanId: 42, dhcp4: false, addresses: ['10.0.0.5/24'], gateways: ['10.0.0.1'] },
  ...{ nameservers: ['10.0.0.2'], searchDomains: [], mtuBytes: 1500 },
};

/** Renderer → path → text, on an installed system that calls the link otherwise than the installer did. */
type Rendered = Readonly<Record<string, Readonly<Record<string, string>>>>;

async function render(document: string): Promise<Rendered> {
  return await debianPython<Rendered>('network', { document, interfaces: { [macAddress]: 'enp1s0' } });
}

const interfaces = 'etc/network/interfaces';
const scripts = 'etc/sysconfig/network-scripts';
const connections = 'etc/NetworkManager/system-connections';

test("cloud-init's own renderers: the VLAN lies on the link by the name that the link is given", async () => {
  const { eni, sysconfig, 'network-manager': manager } = await render(networkConfigFromLink(tagged, { setName: true }));
  assert.match(eni?.[interfaces] ?? '', /^iface eth0 inet manual$[\s\S]*^iface vlan42 inet static$/m);
  assert.match(eni?.[interfaces] ?? '', /^ +vlan-raw-device eth0$/m);
  const rule = eni?.['etc/udev/rules.d/70-persistent-net.rules'] ?? '';
  assert.match(rule, new RegExp(`"${macAddress}", NAME="eth0"`));
  assert.match(sysconfig?.[`${scripts}/ifcfg-eth0`] ?? '', new RegExp(`^HWADDR=${macAddress}$`, 'm'));
  assert.match(sysconfig?.[`${scripts}/ifcfg-vlan42`] ?? '', /^PHYSDEV=eth0$/m);
  const uuid = /^uuid=(.*)$/m.exec(manager?.[`${connections}/cloud-init-eth0.nmconnection`] ?? '')?.[1];
  assert.ok(uuid !== undefined);
  assert.match(manager?.[`${connections}/cloud-init-vlan42.nmconnection`] ?? '', new RegExp(`^parent=${uuid}$`, 'm'));
});

test('netplan is given the document as it is, and knows the link below a VLAN by its key', async () => {
  const { netplan } = await render(networkConfigFromLink(tagged));
  const text = Object.values(netplan ?? {}).join('\n');
  assert.match(text, /^ {8}durantic0:\n {12}match:/m);
  assert.match(text, /^ {12}link: durantic0$/m);
  assert.doesNotMatch(text, /set-name/);
});

test('why the others need the name: without it they put the VLAN on a device that does not exist', async () => {
  const { eni, sysconfig } = await render(networkConfigFromLink(tagged));
  assert.match(eni?.[interfaces] ?? '', /^ +vlan-raw-device durantic0$/m);
  assert.match(sysconfig?.[`${scripts}/ifcfg-vlan42`] ?? '', /^PHYSDEV=durantic0$/m);
});
