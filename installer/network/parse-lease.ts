import { z } from 'zod';

/** A route that a DHCP server gives (RFC 3442). */
export interface LeaseRoute {
  /** CIDR; `0.0.0.0/0` is the default route. */
  readonly to: string;
  /** Null: the destination is on the link. */
  readonly via: string | null;
}

export interface Lease4 {
  readonly address: string;
  readonly prefixLength: number;
  readonly routes: readonly LeaseRoute[];
  readonly nameservers: readonly string[];
  readonly searchDomains: readonly string[];
  /** Bytes. */
  readonly mtuBytes: number | null;
  readonly server: string | null;
  /** How long it is good from the answer on; infinite where the server does not say. */
  readonly seconds: number;
}

/** What the routers and DHCPv6 servers of a link say, as dhcpcd gathered it. */
export interface Facts6 {
  /** Link-local address of the router that advertised last; null before one has. */
  readonly router: string | null;
  /** Flag M of its advertisement: addresses by DHCPv6 (RFC 4861, section 4.2). */
  readonly isManaged: boolean;
  /** Addresses that a DHCPv6 server gave. */
  readonly leased: readonly string[];
  readonly nameservers: readonly string[];
  readonly searchDomains: readonly string[];
}

/** The environment that a DHCP client gives its script. */
export type ClientFacts = ReadonlyMap<string, string>;

const ipv4 = z.ipv4();
const ipv6 = z.ipv6();
const cidr4 = z.cidrv4();
// The smallest that every host must take (RFC 1122, section 3.3.3); smaller ones are mistakes.
const smallestMtuBytes = 576;

/** The lease that udhcpc gives its script (variables of udhcpc's dhcpc.c). Null when it has no usable address. */
export function parseLease4(facts: ClientFacts): Lease4 | null {
  const address = facts.get('ip') ?? '';
  if (!ipv4.safeParse(address).success) return null;
  const prefixLength = Number(facts.get('mask') ?? '32');
  const mtuBytes = Number(facts.get('mtu') ?? 'NaN');
  const seconds = Number(facts.get('lease') ?? 'NaN');
  return {
    address,
    prefixLength: Number.isInteger(prefixLength) && prefixLength >= 0 && prefixLength <= 32 ? prefixLength : 32,
    routes: routesOf(facts),
    nameservers: words(facts.get('dns')).filter((word) => ipv4.safeParse(word).success),
    searchDomains: domains(facts.get('search') ?? facts.get('domain')),
    mtuBytes: Number.isInteger(mtuBytes) && mtuBytes >= smallestMtuBytes && mtuBytes <= 65535 ? mtuBytes : null,
    server: words(facts.get('serverid')).find((word) => ipv4.safeParse(word).success) ?? null,
    seconds: Number.isInteger(seconds) && seconds > 0 ? seconds : Number.POSITIVE_INFINITY,
  };
}

/** RFC 3442: who gives classless routes means those only. */
function routesOf(facts: ClientFacts): LeaseRoute[] {
  const pairs = words(facts.get('staticroutes'));
  const routes: LeaseRoute[] = [];
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    const [to = '', via = ''] = pairs.slice(index, index + 2);
    if (!cidr4.safeParse(to).success || !ipv4.safeParse(via).success) continue;
    routes.push({ to, via: via === '0.0.0.0' ? null : via });
  }
  if (routes.length > 0) return routes;
  const router = words(facts.get('router')).find((word) => ipv4.safeParse(word).success && word !== '0.0.0.0');
  return router === undefined ? [] : [{ to: '0.0.0.0/0', via: router }];
}

export const noFacts6: Facts6 = { router: null, isManaged: false, leased: [], nameservers: [], searchDomains: [] };

/**
 * What one call of dhcpcd's script adds: router advertisements come as `nd1_…`, leases as `new_dhcp6_…`
 * (dhcpcd-run-hooks(8)). Null: it says
 * nothing of that.
 */
export function parseFacts6(facts: ClientFacts): Facts6 | null {
  const reason = facts.get('reason') ?? '';
  if (reason === 'ROUTERADVERT') return advertised(facts);
  return ['BOUND6', 'RENEW6', 'REBIND6', 'REBOOT6', 'INFORM6'].includes(reason) ? leased6(facts) : null;
}

function advertised(facts: ClientFacts): Facts6 {
  const values = (pattern: RegExp): string =>
    [...facts].flatMap(([name, value]) => (pattern.test(name) ? [value] : [])).join(' ');
  return {
    ...noFacts6,
    router: facts.get('nd1_from') ?? null,
    isManaged: (facts.get('nd1_flags') ?? '').includes('M'),
    nameservers: nameservers6(values(/^nd\d+_rdnss\d+_servers$/)),
    searchDomains: domains(values(/^nd\d+_dnssl\d+_search$/)),
  };
}

function leased6(facts: ClientFacts): Facts6 {
  const isAddress = /^new_dhcp6_ia_na\d+_ia_addr\d+$/;
  return {
    ...noFacts6,
    leased: [...facts].flatMap(([name, value]) =>
      isAddress.test(name) && ipv6.safeParse(value).success ? [value] : [],
    ),
    nameservers: nameservers6(facts.get('new_dhcp6_name_servers')),
    searchDomains: domains(facts.get('new_dhcp6_domain_search')),
  };
}

/** With the zone that a link-local one needs. */
function nameservers6(text: string | undefined): string[] {
  return [...new Set(words(text))].filter((word) => ipv6.safeParse(word.replace(/%[\w.-]{1,15}$/, '')).success);
}

function words(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}

/** Names that may stand in resolv.conf; a server can send anything. */
export function domains(text: string | undefined): string[] {
  return words(text)
    .map((name) => name.replace(/\.$/, ''))
    .filter((name) => name.length <= 253 && /^[\w-]+(\.[\w-]+)*$/.test(name) && name !== 'bad');
}
