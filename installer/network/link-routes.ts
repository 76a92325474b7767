import { z } from 'zod';
import { ProvisionError } from '../../core/base/errors.ts';
import type { AddressPlan } from './address-plan.ts';
import { ip, listWithIp, tryIp } from './ip-command.ts';
import type { Lease4 } from './parse-lease.ts';

/** The arguments that follow `ip route replace`, without device and table. */
export type RouteLine = readonly string[];

/** Where lookups begin that have an address of a link as source; above the main table's 32766. */
const rulePriority = '7300';
const barrierMetric = '4294967295';

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

/** The routing table of one link; lookups that have come here end here. */
export class LinkTable {
  readonly id: string;
  readonly #device: string;
  readonly #installed = new Map<string, readonly RouteLine[]>();

  /** @param id Number of the table, or `main`, which has no end. */
  constructor(device: string, id: string) {
    this.#device = device;
    this.id = id;
  }

  /**
   * Makes these the routes of one family; what stays the same is never gone in between. A route that the kernel refuses,
   * because a DHCP server sent nonsense, is left out.
   */
  async set(family: 4 | 6, lines: readonly RouteLine[], signal: AbortSignal): Promise<void> {
    const key = String(family);
    const installed = this.#installed.get(key);
    const before = installed ?? [];
    const wanted = new Set(lines.map((line) => line.join(' ')));
    const had = new Set(before.map((line) => line.join(' ')));
    if (installed !== undefined && wanted.size === had.size && [...wanted].every((line) => had.has(line))) return;
    const end = ['dev', this.#device, 'table', this.id, 'proto', 'static'];
    for (const line of lines) await tryIp([`-${family}`, 'route', 'replace', ...line, ...end], signal);
    for (const line of before) {
      if (!wanted.has(line.join(' '))) await tryIp([`-${family}`, 'route', 'del', ...line, ...end], signal);
    }
    // EACCES tells it from a network that says "unreachable" (ip-route(8), prohibit).
    const barrier = ['prohibit', 'default', 'metric', barrierMetric, 'table', this.id];
    if (this.id !== 'main') await ip([`-${family}`, 'route', 'replace', ...barrier], signal);
    this.#installed.set(key, [...lines]);
  }

  async clear(signal: AbortSignal): Promise<void> {
    for (const family of [4, 6] as const) {
      if (this.id === 'main') await this.set(family, [], signal);
      else await tryIp([`-${family}`, 'route', 'flush', 'table', this.id], signal);
    }
    this.#installed.clear();
  }
}

const ruleSchema = z.object({ src: z.string(), table: z.string().optional() });

/** Lets lookups with this source address go to this table and to no other. */
export async function pointRule(address: string, table: string, signal: AbortSignal): Promise<void> {
  const family = address.includes(':') ? '-6' : '-4';
  const rules = await listWithIp([family, 'rule', 'show', 'priority', rulePriority], ruleSchema, signal);
  const own = rules.filter(({ src }) => src === address);
  if (!own.some((rule) => rule.table === table)) {
    await ip([family, 'rule', 'add', 'from', address, 'lookup', table, 'priority', rulePriority], signal);
  }
  for (const rule of own) {
    if (rule.table !== table) await removeRule(family, address, rule.table ?? 'main', signal);
  }
}

/** Removes the rules that lead to a table, or, without one, all that an installer before this one left. */
export async function removeRules(table: string | null, signal: AbortSignal): Promise<void> {
  for (const family of ['-4', '-6']) {
    const rules = await listRules(family, signal);
    for (const rule of rules) {
      if (table === null || rule.table === table) await removeRule(family, rule.src, rule.table ?? 'main', signal);
    }
  }
}

/** None for a family that the kernel has no rules for: the other one still leads to the server. */
async function listRules(family: string, signal: AbortSignal): Promise<z.infer<typeof ruleSchema>[]> {
  try {
    return await listWithIp([family, 'rule', 'show', 'priority', rulePriority], ruleSchema, signal);
  } catch (error) {
    if (!(error instanceof ProvisionError && error.code === 'tool_failed')) throw error;
    return [];
  }
}

async function removeRule(family: string, address: string, table: string, signal: AbortSignal): Promise<void> {
  await tryIp([family, 'rule', 'del', 'from', address, 'lookup', table, 'priority', rulePriority], signal);
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
