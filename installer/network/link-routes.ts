import { z } from 'zod';
import type { AddressPlan } from './address-plan.ts';
import { listWithIp } from './ip-command.ts';
import type { Lease4 } from './parse-lease.ts';
import { barrier } from './source-rules.ts';

/** The arguments that follow `ip route replace`, without device and table. */
export type RouteLine = readonly string[];

/** IPv4 routes of a link: to its networks, and what its DHCP server or `ip=` names. */
export function routes4(statics: AddressPlan['statics'], lease: Lease4 | null): RouteLine[] {
  const lines: RouteLine[] = [];
  for (const { address, prefixLength, peer, gateway } of statics.filter((entry) => !entry.address.includes(':'))) {
    const network = networkOf(peer ?? address, prefixLength);
    if (prefixLength < 32 || peer !== null) lines.push([network, 'src', address]);
    if (gateway !== null) lines.push(['default', 'via', gateway, 'onlink', 'src', address]);
  }
  if (lease === null) return lines;
  const { address, prefixLength } = lease;
  if (prefixLength < 32) lines.push([networkOf(address, prefixLength), 'src', address]);
  for (const { to, via } of lease.routes) {
    const destination = to === '0.0.0.0/0' ? 'default' : maskedCidr(to);
    // The router may lie outside of the network, as clouds have it: onlink.
    lines.push([destination, ...(via === null ? [] : ['via', via, 'onlink']), 'src', address]);
  }
  return lines;
}

/** The default routes of IPv6 addresses that were given by hand. */
export function staticRoutes6(statics: AddressPlan['statics']): RouteLine[] {
  return statics.flatMap(({ address, gateway }) =>
    gateway === null || !address.includes(':') ? [] : [['default', 'via', gateway, 'onlink', 'metric', '1024']],
  );
}

const kernelRouteSchema = z.object({
  dst: z.string(),
  gateway: z.string().optional(),
  metric: z.int().optional(),
  protocol: z.string().optional(),
});

/** The IPv6 routes that the kernel and dhcpcd have put in the main table for a device. */
export async function learnedRoutes6(device: string, signal: AbortSignal): Promise<RouteLine[]> {
  const args = ['-6', 'route', 'show', 'table', 'main', 'dev', device];
  const routes = await listWithIp(args, kernelRouteSchema, signal);
  return routes
    .filter(({ dst, protocol }) => protocol !== 'static' && !/^(fe80|ff)/.test(dst))
    .map(({ dst, gateway, metric }) => [
      dst,
      ...(gateway === undefined ? [] : ['via', gateway]),
      ...(metric === undefined ? [] : ['metric', String(metric)]),
    ]);
}

/** What is to be done for one family, to be confirmed when it is done. */
export interface RouteChange {
  /** For `ip -batch`; none when all is as it should be. */
  readonly commands: readonly (readonly string[])[];
  readonly confirm: () => void;
}

/** The routing table of one link; lookups that have come here end here. */
export class LinkTable {
  readonly id: string;
  readonly #device: string;
  readonly #installed = new Map<4 | 6, readonly RouteLine[]>();

  /** @param id Number of the table, or `main`, which has no end. */
  constructor(device: string, id: string) {
    this.#device = device;
    this.id = id;
  }

  /** Whether something was set for the family. */
  has(family: 4 | 6): boolean {
    return this.#installed.has(family);
  }

  /**
   * Makes these the routes of one family; what stays the same is never gone in between. A route that the kernel refuses,
   * because a DHCP server sent nonsense, is left out.
   */
  change(family: 4 | 6, lines: readonly RouteLine[]): RouteChange {
    const installed = this.#installed.get(family);
    const before = installed ?? [];
    const wanted = new Set(lines.map((line) => line.join(' ')));
    const had = new Set(before.map((line) => line.join(' ')));
    const isSame = wanted.size === had.size && [...wanted].every((line) => had.has(line));
    if (installed !== undefined && isSame) return { commands: [], confirm: () => undefined };
    const end = ['dev', this.#device, 'table', this.id, 'proto', 'static'];
    const removed = before.filter((line) => !wanted.has(line.join(' ')));
    const commands = [
      ...lines.map((line) => ['route', 'replace', ...line, ...end]),
      ...removed.map((line) => ['route', 'del', ...line, ...end]),
      ...(this.id === 'main' ? [] : [barrier(this.id)]),
    ];
    return { commands, confirm: () => void this.#installed.set(family, [...lines]) };
  }

  /** Takes back what was set for one family. */
  removal(family: 4 | 6): RouteChange {
    const commands = this.id === 'main' ? this.change(family, []).commands : [['route', 'flush', 'table', this.id]];
    return { commands, confirm: () => void this.#installed.delete(family) };
  }
}

function maskedCidr(cidr: string): string {
  const [address = '', bits = '32'] = cidr.split('/');
  return networkOf(address, Number(bits));
}

/** The kernel refuses a network whose host bits are not zero. */
function networkOf(address: string, prefixLength: number): string {
  const value = address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const size = 2 ** (32 - prefixLength);
  const network = Math.floor(value / size) * size;
  return `${[24, 16, 8, 0].map((shift) => Math.floor(network / 2 ** shift) % 256).join('.')}/${prefixLength}`;
}
