import type { IpParameter } from '../../protocol/ip-parameter.ts';
import type { NetworkParameters } from './network.ts';

export interface StaticAddress {
  readonly address: string;
  readonly prefixLength: number;
  readonly peer: string | null;
  readonly gateway: string | null;
}

/** How one link gets its addresses. */
export interface AddressPlan {
  readonly dhcp4: boolean;
  /** `when_told`: as router advertisements say (RFC 4861, section 4.2, flags M and O). */
  readonly dhcp6: 'never' | 'when_told' | 'always';
  /** What is taken from router advertisements: nothing, routes and name servers, or addresses too (SLAAC). */
  readonly advertisements: 'ignored' | 'routes' | 'addresses';
  /** IPv6 link-local addresses count as addresses. */
  readonly isLinkLocalEnough: boolean;
  readonly statics: readonly StaticAddress[];
  /** Sent to DHCP servers. */
  readonly hostname: string | null;
  /** Bytes; null leaves it to DHCP and the driver. */
  readonly mtuBytes: number | null;
  readonly macAddress: string | null;
  /** Given by hand: they come before those that the network names. */
  readonly nameservers: readonly string[];
}

/**
 * What `ip=` and `nameserver=` mean for a link (dracut.cmdline(7)). Without any `ip=`: DHCPv4, and IPv6 as the routers say. Null
 * when every `ip=` is for another link.
 * @param names By which the link may be called: its own, and that of its VLAN.
 */
export function addressPlan(
  { addresses, nameservers }: Pick<NetworkParameters, 'addresses' | 'nameservers'>,
  names: readonly string[],
): AddressPlan | null {
  const own = addresses.filter((ip) => ip.interface === null || names.includes(ip.interface));
  if (addresses.length > 0 && own.length === 0) return null;
  const has = (...methods: IpParameter['method'][]): boolean => own.some(({ method }) => methods.includes(method));
  const isByItself = addresses.length === 0;
  return {
    dhcp4: isByItself || has('dhcp'),
    dhcp6: has('dhcp6') ? 'always' : isByItself || has('either6') ? 'when_told' : 'never',
    advertisements: advertisementsFor(own, isByItself),
    isLinkLocalEnough: has('link6'),
    statics: own.flatMap((ip) => (ip.method === 'static' ? [staticOf(ip)] : [])),
    hostname: own.find(({ hostname }) => hostname !== null)?.hostname ?? null,
    mtuBytes: own.find(({ mtu }) => mtu !== null)?.mtu ?? null,
    macAddress: own.find(({ macAddress }) => macAddress !== null)?.macAddress ?? null,
    nameservers: [...new Set([...nameservers, ...own.flatMap((ip) => ip.nameservers)])],
  };
}

function staticOf(ip: Extract<IpParameter, { method: 'static' }>): StaticAddress {
  const { address, prefixLength, peer, gateway } = ip;
  return { address, prefixLength, peer, gateway };
}

function advertisementsFor(own: readonly IpParameter[], isByItself: boolean): AddressPlan['advertisements'] {
  if (isByItself || own.some(({ method }) => ['auto6', 'either6'].includes(method))) return 'addresses';
  // DHCPv6 knows no routes, and a static address without gateway needs one from somewhere.
  const needsRoutes = own.some(
    (ip) => ip.method === 'dhcp6' || (ip.method === 'static' && ip.address.includes(':') && ip.gateway === null),
  );
  return needsRoutes ? 'routes' : 'ignored';
}
