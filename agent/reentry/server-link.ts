import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { z } from 'zod';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';
import { type IpParameter, macAddressSchema } from '../../protocol/ip-parameter.ts';
import type { KernelParameters } from '../../protocol/kernel-parameters.ts';

/** The kernel parameters that say how the installer gets to the server. */
export type CarriedNetwork = Pick<KernelParameters, 'interface' | 'vlan' | 'addresses' | 'nameservers'>;

const linkSchema = z.object({
  ifname: z.string(),
  /** Parent of a VLAN; a name, or absent. */
  link: z.string().nullish(),
  /** Bridge or bond that it belongs to. */
  master: z.string().nullish(),
  address: z.string().nullish(),
  permaddr: z.string().nullish(),
  mtu: z.number().nullish(),
  operstate: z.string().nullish(),
  linkinfo: z
    .object({
      info_kind: z.string().nullish(),
      info_data: z.object({ id: z.number().nullish() }).nullish(),
      info_slave_data: z.object({ state: z.string().nullish(), perm_hwaddr: z.string().nullish() }).nullish(),
    })
    .nullish(),
  addr_info: z
    .array(
      z.object({
        local: z.string().nullish(),
        address: z.string().nullish(),
        prefixlen: z.number().nullish(),
        scope: z.string().nullish(),
        dynamic: z.boolean().nullish(),
      }),
    )
    .default([]),
});

const routeSchema = z.object({
  dst: z.string(),
  gateway: z.string().nullish(),
  via: z.object({ host: z.string() }).nullish(),
  dev: z.string().nullish(),
  metric: z.number().nullish(),
});

export type IpLink = z.infer<typeof linkSchema>;
export type IpRoute = z.infer<typeof routeSchema>;

export interface NetworkFacts {
  /** `ip -j -d addr show` */
  readonly links: readonly IpLink[];
  /** `ip -j -4 route show default` and the same of IPv6. */
  readonly defaultRoutes: readonly IpRoute[];
  /** Texts of resolv.conf files, the one that counts first. */
  readonly resolvers: readonly string[];
}

/** @throws ProvisionError `tool_failed` for an answer that is not understood. */
export function parseIpLinks(text: string): IpLink[] {
  return parseIp(text, z.array(linkSchema));
}

export function parseIpRoutes(text: string): IpRoute[] {
  return parseIp(text, z.array(routeSchema));
}

/**
 * How this system reaches its server, as the installer has to: by the link that holds the connection's local address.
 * @throws ProvisionError `tool_missing`, `tool_failed`, `installer_unreachable`.
 */
export async function readServerLink(localAddress: string, signal: AbortSignal): Promise<CarriedNetwork> {
  const ip = async (...args: string[]): Promise<string> =>
    (await runCommand('ip', ['-j', ...args], { signal, timeoutMs: 30_000 })).stdout;
  const links = parseIpLinks(await ip('-d', 'addr', 'show'));
  const defaultRoutes = [
    ...parseIpRoutes(await ip('-4', 'route', 'show', 'default')),
    ...parseIpRoutes(await ip('-6', 'route', 'show', 'default')),
  ];
  // systemd-resolved's own file names its stub only; this one has what it asks.
  const resolvers = ['/run/systemd/resolve/resolv.conf', '/etc/resolv.conf'].map(readOr);
  return carriedNetwork(localAddress, { links, defaultRoutes, resolvers });
}

/**
 * The installer's network parameters for the link with this address. A link that gets its address by itself (DHCP,
 * router advertisements) is named only; a static address goes along with its gateway and the name servers. Of a bond or
 * a bridge one member is named when the address is static, none otherwise: the installer tries all links then.
 * @throws ProvisionError `installer_unreachable` where the link is none that the installer could use.
 */
export function carriedNetwork(localAddress: string, facts: NetworkFacts): CarriedNetwork {
  const wanted = plainAddress(localAddress);
  const holder = facts.links.find(({ addr_info }) => addr_info.some(({ local }) => local === wanted));
  const own = holder?.addr_info.find(({ local }) => local === wanted);
  if (holder === undefined || own === undefined) {
    throw new ProvisionError('installer_unreachable', `no link of this system has the address ${wanted}`);
  }
  if (own.scope === 'host') return noNetwork;
  const { cards, vlan, isShared } = cardsBelow(holder, facts.links);
  const isStatic = own.dynamic !== true && own.scope !== 'link';
  const card = cards[0];
  if (card === undefined) {
    const message = `the server is reached by ${holder.ifname}, which lies on no network card of this machine`;
    throw new ProvisionError('installer_unreachable', message);
  }
  const isNamed = isStatic || !isShared;
  return {
    interface: isNamed ? permanentMac(card) : null,
    vlan,
    addresses: isStatic ? [staticAddress(wanted, { holder, own, facts })] : [],
    nameservers: isStatic ? nameserversOf(facts.resolvers) : [],
  };
}

const noNetwork: CarriedNetwork = { interface: null, vlan: null, addresses: [], nameservers: [] };

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
function isCard({ linkinfo, address }: IpLink): boolean {
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
  address: string,
  { holder, own, facts }: { holder: IpLink; own: IpLink['addr_info'][number]; facts: NetworkFacts },
): IpParameter {
  const family = isIP(address);
  const routes = facts.defaultRoutes
    .filter(({ dev }) => dev === holder.ifname)
    .flatMap((route) => ({ gateway: route.gateway ?? route.via?.host ?? '', metric: route.metric ?? 0 }))
    .filter(({ gateway }) => isIP(gateway) === family)
    .sort((a, b) => a.metric - b.metric);
  const prefixLength = own.prefixlen ?? (family === 4 ? 32 : 128);
  return {
    method: 'static',
    address,
    prefixLength,
    peer: own.address ?? null,
    gateway: routes[0]?.gateway ?? null,
    // The installer names its links by itself; which one it is, its MAC address says.
    ...{ interface: null, hostname: null, macAddress: null, nameservers: [] },
    mtu: holder.mtu === 1500 ? null : (holder.mtu ?? null),
  };
}

function nameserversOf(resolvers: readonly string[]): string[] {
  const found = resolvers.flatMap((text) =>
    [...text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].map(([, address = '']) => address.split('%')[0] ?? ''),
  );
  const isUsable = (address: string): boolean => isIP(address) !== 0 && !/^(127\.|::1$|fe80:)/i.test(address);
  return [...new Set(found.filter(isUsable))].slice(0, 4);
}

/** `::ffff:10.0.0.1` is the IPv4 address of a socket that takes both; `%eth0` is the zone of a link-local one. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
}

function parseIp<T>(text: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(text.trim() === '' ? '[]' : text);
  } catch (cause) {
    throw new ProvisionError('tool_failed', 'the answer of ip is no JSON', { cause });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new ProvisionError('tool_failed', 'the answer of ip is not understood', { cause: result.error });
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
