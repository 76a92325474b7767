import { BlockList, isIP } from 'node:net';
import { ProvisionError } from '../../core/base/errors.ts';
import { type IpParameter, macAddressSchema } from '../../protocol/ip-parameter.ts';
import type { KernelParameters } from '../../protocol/kernel-parameters.ts';
import {
  type Connection,
  type IpLink,
  type IpRoute,
  type NetworkFacts,
  plainAddress,
  readNetworkFacts,
} from './ip-facts.ts';

/** The kernel parameters that say how the installer gets to the server. */
export type CarriedNetwork = Pick<KernelParameters, 'interface' | 'vlan' | 'addresses' | 'nameservers'>;

/**
 * How this system reaches its server, as the installer has to: by the link that holds the connection's local address.
 * @throws ProvisionError `tool_missing`, `tool_failed`, `installer_unreachable`.
 */
export async function readServerLink(connection: Connection, signal: AbortSignal): Promise<CarriedNetwork> {
  return carriedNetwork(connection, await readNetworkFacts(connection, signal));
}

/**
 * The installer's network parameters for the link that this connection goes by. A link that gets its address by itself
 * (DHCP, router advertisements) is named only; a static address goes along with the gateway that leads to the server and
 * the name servers. Of a bond or a bridge one member is named when the address is static, none otherwise: the installer
 * tries all links then.
 * @throws ProvisionError `installer_unreachable` where the installer could not go the same way.
 */
export function carriedNetwork(connection: Connection, facts: NetworkFacts): CarriedNetwork {
  const [local, remote] = [plainAddress(connection.local), plainAddress(connection.remote)];
  const holder = facts.links.find(({ addr_info }) => addr_info.some((one) => one.local === local));
  const own = holder?.addr_info.find((one) => one.local === local);
  if (holder === undefined || own === undefined) throw refused(`no link of this system has the address ${local}`);
  if (own.scope === 'host' || facts.route?.type === 'local') {
    throw refused(
      `this system reaches its server at ${remote}, which is this system itself (a server, proxy or tunnel on it) and is gone in the installer: name in agent.yaml an address that another machine has, or ${fromMedia}`,
    );
  }
  const { cards, vlan, isShared } = cardsBelow(holder, facts.links);
  const card = cards[0];
  if (card === undefined) {
    throw refused(
      `the server is reached from ${local} by ${holder.ifname}, which lies on no network card of this machine: reach it from the address of a card, or ${fromMedia}`,
    );
  }
  const hops = hopsOf(facts.route).filter(({ dev }) => dev === holder.ifname);
  if (hops.length === 0) {
    const others = hopsOf(facts.route).map(({ dev }) => dev ?? 'no link');
    throw refused(
      `the server is reached from ${local} of ${holder.ifname}, but by way of ${others.join(', ') || 'no route'}, and the installer uses one link: give ${holder.ifname} a route to ${remote}, or ${fromMedia}`,
    );
  }
  const isStatic = own.dynamic !== true && own.scope !== 'link';
  const isNamed = isStatic || !isShared;
  return {
    interface: isNamed ? permanentMac(card) : null,
    vlan,
    addresses: isStatic ? [staticAddress({ local, remote }, { holder, own, hops, facts })] : [],
    nameservers: isStatic ? nameserversOf(facts.resolvers) : [],
  };
}

const fromMedia = 'start the installer from media or network';

type Hop = Pick<IpRoute, 'gateway' | 'via' | 'dev'>;

function hopsOf(route: IpRoute | null): readonly Hop[] {
  if (route === null) return [];
  return (route.nexthops ?? []).length === 0 ? [route] : (route.nexthops ?? []);
}

interface Cards {
  /** The best first. */
  readonly cards: readonly IpLink[];
  readonly vlan: number | null;
  /** The address belongs to several cards together. */
  readonly isShared: boolean;
}

/** The network cards that a link lies on in the end. */
function cardsBelow(link: IpLink, links: readonly IpLink[], depth = 0): Cards {
  const kind = link.linkinfo?.info_kind ?? null;
  if (depth > 8) return { cards: [], vlan: null, isShared: false };
  if (kind === 'vlan' || kind === 'macvlan') {
    const parent = links.find(({ ifname }) => ifname === link.link);
    const below = parent === undefined ? null : cardsBelow(parent, links, depth + 1);
    const vlan = kind === 'vlan' ? (link.linkinfo?.info_data?.id ?? null) : null;
    return { cards: below?.cards ?? [], vlan: vlan ?? below?.vlan ?? null, isShared: below?.isShared ?? false };
  }
  const isGroup = kind === 'bond' || kind === 'bridge' || kind === 'team';
  if (!isGroup) return { cards: isCard(link) ? [link] : [], vlan: null, isShared: false };
  const members = links.filter(({ master }) => master === link.ifname);
  const below = members.map((member) => cardsBelow(member, links, depth + 1));
  const cards = below.flatMap((one) => one.cards).sort((a, b) => rank(a) - rank(b));
  return { cards, vlan: below.find(({ vlan }) => vlan !== null)?.vlan ?? null, isShared: cards.length > 1 };
}

/** Virtual links (`veth`, `tun`, `dummy`, …) name their kind; a card has none, or only the data of its group. */
function isCard({ linkinfo, link_type, address }: IpLink): boolean {
  // The loopback link has no kind and a MAC address of zeros.
  if (link_type === 'loopback') return false;
  return (linkinfo?.info_kind ?? null) === null && macAddressSchema.safeParse(address).success;
}

function rank({ operstate, linkinfo }: IpLink): number {
  const isActive = linkinfo?.info_slave_data?.state === 'ACTIVE';
  return (operstate === 'UP' ? 0 : 2) + (isActive ? 0 : 1);
}

/** A member of a bond carries the bond's address; the installer knows the card by its own. */
function permanentMac({ permaddr, linkinfo, address }: IpLink): string | null {
  return linkinfo?.info_slave_data?.perm_hwaddr ?? permaddr ?? address ?? null;
}

function staticAddress(
  { local, remote }: Connection,
  {
    holder,
    own,
    hops,
    facts,
  }: { holder: IpLink; own: IpLink['addr_info'][number]; hops: readonly Hop[]; facts: NetworkFacts },
): IpParameter {
  const family = isIP(local);
  const prefixLength = own.prefixlen ?? (family === 4 ? 32 : 128);
  const isOfFamily = (gateway: string): boolean => isIP(gateway) === family;
  const [gateway] = hops.map(gatewayOf).filter(isOfFamily);
  if (gateway === undefined && !isWithin(remote, own.address ?? local, prefixLength)) {
    throw refused(
      `${remote} lies outside of ${local}/${prefixLength} on ${holder.ifname} and no ${family === 4 ? 'IPv4' : 'IPv6'} gateway leads to it, which the installer needs: give this system a route with a gateway, or ${fromMedia}`,
    );
  }
  // A server in the same network; what else the installer needs (registries) is behind the link's usual gateway.
  const [usual] = facts.defaultRoutes
    .flatMap((route) => hopsOf(route).map((hop) => ({ ...hop, metric: route.metric ?? 0 })))
    .filter((hop) => hop.dev === holder.ifname && isOfFamily(gatewayOf(hop)))
    .sort((a, b) => a.metric - b.metric)
    .map(gatewayOf);
  return {
    method: 'static',
    address: local,
    prefixLength,
    peer: own.address ?? null,
    gateway: gateway ?? usual ?? null,
    // The installer names its links by itself; which one it is, its MAC address says.
    ...{ interface: null, hostname: null, macAddress: null, nameservers: [] },
    mtu: holder.mtu === 1500 ? null : (holder.mtu ?? null),
  };
}

function gatewayOf({ gateway, via }: Hop): string {
  return gateway ?? via?.host ?? '';
}

function isWithin(address: string, network: string, prefixLength: number): boolean {
  const family = isIP(network) === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(network, prefixLength, family);
  return isIP(address) === isIP(network) && list.check(address, family);
}

function nameserversOf(resolvers: readonly string[]): string[] {
  const found = resolvers.flatMap((text) =>
    [...text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].map(([, address = '']) => address.split('%')[0] ?? ''),
  );
  const isUsable = (address: string): boolean => isIP(address) !== 0 && !/^(127\.|::1$|fe80:)/i.test(address);
  return [...new Set(found.filter(isUsable))].slice(0, 4);
}

function refused(message: string): ProvisionError {
  return new ProvisionError('installer_unreachable', message);
}
