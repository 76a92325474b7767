import { stringify } from 'yaml';

/** A network link as the installer found it working. Addresses in CIDR form. */
export interface LinkDescription {
  /** Kernel name on the installer, which may differ on the installed system. */
  readonly name: string;
  /** The permanent one: what the link is found by. */
  readonly macAddress: string;
  /** The address that the link is given instead; default none. */
  readonly setMacAddress?: string | null;
  readonly vlanId: number | null;
  readonly dhcp4: boolean;
  /** Addresses by DHCPv6; default false. */
  readonly dhcp6?: boolean;
  /** Routers advertise IPv6 here, with or without addresses; default: not known. */
  readonly acceptRa?: boolean;
  readonly addresses: readonly string[];
  readonly gateways: readonly string[];
  readonly nameservers: readonly string[];
  readonly searchDomains: readonly string[];
  /** Bytes; null = the default. */
  readonly mtuBytes: number | null;
}

/**
 * A NoCloud network-config, version 2 (cloud-init "Networking config version 2"), from the link that worked in the
 * installer, matched by MAC address. Plain DHCP identifies itself by MAC as the installer did, so that both hold one
 * lease (failure row F18). `setName` renames the link as the installer had it: cloud-init before 21.4 finds it
 * in no other way, and below a VLAN only netplan does.
 */
export function networkConfigFromLink(link: LinkDescription, options: { setName?: boolean } = {}): string {
  const device = {
    match: { macaddress: link.macAddress.toLowerCase() },
    ...(options.setName === true ? { 'set-name': link.name } : {}),
    ...(link.setMacAddress == null ? {} : { macaddress: link.setMacAddress }),
    ...(link.mtuBytes === null ? {} : { mtu: link.mtuBytes }),
  };
  const id = options.setName === true ? link.name : 'durantic0';
  const document =
    link.vlanId === null
      ? { version: 2, ethernets: { [id]: { ...device, ...addressing(link) } } }
      : {
          version: 2,
          ethernets: { [id]: device },
          vlans: { [`vlan${link.vlanId}`]: { id: link.vlanId, link: id, ...addressing(link) } },
        };
  return header + cloudYaml(document);
}

/** DHCP on every Ethernet link, for a disk that is written without knowing the machine. Only netplan takes the glob. */
export function networkConfigForAnyLink(): string {
  const any = { match: { name: 'e*' }, dhcp4: true, 'dhcp-identifier': 'mac' };
  return header + cloudYaml({ version: 2, ethernets: { durantic0: any } });
}

/**
 * YAML for PyYAML, which reads version 1.1: a plain `52:54:00:12:34:56` is the number 41135085296 there (base 60), and
 * `no` is false. All strings are quoted.
 */
export function cloudYaml(value: unknown): string {
  return stringify(value, { version: '1.1', defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' });
}

const header = '# Written by durantic.\n';

function addressing(link: LinkDescription): Record<string, unknown> {
  const nameservers = {
    ...(link.nameservers.length > 0 ? { addresses: link.nameservers } : {}),
    ...(link.searchDomains.length > 0 ? { search: link.searchDomains } : {}),
  };
  const named = Object.keys(nameservers).length > 0 ? { nameservers } : {};
  // `gateway4` and `gateway6`: `routes: to: default` is unknown to cloud-init before 22.1.
  const gateway4 = link.gateways.find((gateway) => !gateway.includes(':'));
  const gateway6 = link.gateways.find((gateway) => gateway.includes(':'));
  return {
    ...(link.dhcp4 ? { dhcp4: true, 'dhcp-identifier': 'mac' } : { dhcp4: false }),
    ...(link.dhcp6 === true ? { dhcp6: true } : {}),
    ...(link.acceptRa === true ? { 'accept-ra': true } : {}),
    ...(link.addresses.length > 0 ? { addresses: link.addresses } : {}),
    ...(gateway4 === undefined ? {} : { gateway4 }),
    ...(gateway6 === undefined ? {} : { gateway6 }),
    ...named,
  };
}
