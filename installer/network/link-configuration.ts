import type { LinkDescription } from '../../agent/rootfs/network-config-from-link.ts';
import type { AddressPlan } from './address-plan.ts';
import type { LinkIdentity } from './link-identity.ts';
import type { Learned } from './link-setup.ts';
import type { Route } from './network.ts';
import type { KernelAddress, KernelLink } from './read-kernel-links.ts';

/** What a link can be used with at this moment. */
export interface LinkConfiguration {
  /** In CIDR form, without link-local ones. */
  readonly addresses: readonly string[];
  readonly gateways: readonly string[];
  readonly nameservers: readonly string[];
  readonly searchDomains: readonly string[];
  readonly localAddress4: string | null;
  readonly localAddress6: string | null;
}

export const noConfiguration: LinkConfiguration = {
  addresses: [],
  gateways: [],
  nameservers: [],
  searchDomains: [],
  localAddress4: null,
  localAddress6: null,
};

/** Joins what was given by hand, what the network said, and which addresses the kernel lets us use. */
export function linkConfiguration(plan: AddressPlan, kernel: KernelLink, learned: Learned): LinkConfiguration {
  const { lease4, facts6 } = learned;
  const usable = kernel.addresses.filter(({ isTentative, isDuplicate }) => !isTentative && !isDuplicate);
  const wide = usable.filter(({ isLinkLocal }) => !isLinkLocal);
  const given = plan.statics.map(({ gateway }) => gateway);
  const leased = lease4?.routes.find(({ to }) => to === '0.0.0.0/0')?.via ?? null;
  return {
    addresses: wide.map(({ address, prefixLength }) => `${address}/${prefixLength}`),
    gateways: unique([...given, leased, facts6.router].filter((gateway) => gateway !== null)),
    nameservers: unique([...plan.nameservers, ...(lease4?.nameservers ?? []), ...facts6.nameservers]),
    searchDomains: unique([...(lease4?.searchDomains ?? []), ...facts6.searchDomains]),
    localAddress4: best(wide, 4, plan, learned),
    localAddress6: best(wide, 6, plan, learned) ?? linkLocal(usable, plan, kernel.name),
  };
}

/** By hand before DHCP before SLAAC; one whose time is over only when there is no other. */
function best(
  addresses: readonly KernelAddress[],
  family: 4 | 6,
  plan: AddressPlan,
  { lease4, facts6 }: Learned,
): string | null {
  const rank = ({ address, isDeprecated }: KernelAddress): number => {
    if (plan.statics.some((entry) => entry.address === address)) return 0;
    if (isDeprecated) return 3;
    return lease4?.address === address || facts6.leased.includes(address) ? 1 : 2;
  };
  const [first] = addresses.filter((address) => address.family === family).sort((a, b) => rank(a) - rank(b));
  return first?.address ?? null;
}

function linkLocal(addresses: readonly KernelAddress[], plan: AddressPlan, device: string): string | null {
  const found = plan.isLinkLocalEnough ? addresses.find(({ isLinkLocal }) => isLinkLocal) : undefined;
  return found === undefined ? null : `${found.address}%${device}`;
}

/** The way out that a probe gets; null while the link has no address. */
export function routeOf(name: string, configuration: LinkConfiguration): Route | null {
  const { localAddress4, localAddress6, nameservers, searchDomains, gateways } = configuration;
  if (localAddress4 === null && localAddress6 === null) return null;
  return { name, localAddress4, localAddress6, nameservers, searchDomains, gateways };
}

/**
 * How the installed system is to set up this link. What the network tells is left to the network: only what was given by
 * hand on the kernel command line is written down.
 */
export function describeLink(
  { name, vlanId, hardware }: LinkIdentity,
  plan: AddressPlan,
  kernel: KernelLink,
  { learned, configuration }: { readonly learned: Learned; readonly configuration: LinkConfiguration },
): LinkDescription {
  const { lease4, facts6 } = learned;
  const { permanentMacAddress } = hardware;
  const dhcp6 = facts6.leased.length > 0;
  const isByHand = lease4 === null && !dhcp6 && facts6.router === null;
  return {
    name: vlanId === null ? name : hardware.name,
    macAddress: permanentMacAddress,
    setMacAddress: plan.macAddress === permanentMacAddress ? null : plan.macAddress,
    vlanId,
    dhcp4: lease4 !== null,
    dhcp6,
    acceptRa: facts6.router !== null,
    addresses: plan.statics.map(({ address, prefixLength }) => `${address}/${prefixLength}`),
    gateways: plan.statics.flatMap(({ gateway }) => (gateway === null ? [] : [gateway])),
    // Without a network that names them, ours are all there are.
    nameservers: isByHand ? configuration.nameservers : plan.nameservers,
    searchDomains: isByHand ? configuration.searchDomains : [],
    mtuBytes: kernel.mtuBytes === 1500 ? null : kernel.mtuBytes,
  };
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
