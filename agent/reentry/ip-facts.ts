import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';

/** The ends of a connection, as sockets name them. */
export interface Connection {
  readonly local: string;
  /** What was dialled: the server, or the proxy that leads to it. */
  readonly remote: string;
}

const linkSchema = z.object({
  ifname: z.string(),
  /** `ether`, `loopback`, `none`, … */
  link_type: z.string().nullish(),
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

const hop = {
  gateway: z.string().nullish(),
  /** A gateway of the other family. */
  via: z.object({ host: z.string() }).nullish(),
  dev: z.string().nullish(),
};

const routeSchema = z.object({
  ...hop,
  /** `local` for this machine itself; absent for what leads out of it. */
  type: z.string().nullish(),
  metric: z.number().nullish(),
  /** Of a route with several ways, which has none of the above itself. */
  nexthops: z.array(z.object(hop)).nullish(),
});

export type IpLink = z.infer<typeof linkSchema>;
export type IpRoute = z.infer<typeof routeSchema>;

export interface NetworkFacts {
  /** `ip -j -d addr show` */
  readonly links: readonly IpLink[];
  /** What the kernel goes by from here to there; null when it knows no way. */
  readonly route: IpRoute | null;
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
 * Asks the kernel how it leads this connection.
 * @throws ProvisionError `tool_missing`, `tool_failed`.
 */
export async function readNetworkFacts({ local, remote }: Connection, signal: AbortSignal): Promise<NetworkFacts> {
  const ip = async (args: readonly string[], okExitCodes: readonly number[] = [0]): Promise<string> =>
    (await runCommand('ip', ['-j', ...args], { signal, timeoutMs: 30_000, okExitCodes })).stdout;
  const links = parseIpLinks(await ip(['-d', 'addr', 'show']));
  const zone = /%(.+)$/.exec(remote)?.[1];
  const ends = [plainAddress(remote), 'from', plainAddress(local), ...(zone === undefined ? [] : ['dev', zone])];
  // The entry of the table itself: without `fibmatch` one way of several is chosen anew for each question. 2: no route.
  const [route = null] = parseIpRoutes(await ip(['route', 'get', 'fibmatch', ...ends], [0, 2]));
  const defaultRoutes = [
    ...parseIpRoutes(await ip(['-4', 'route', 'show', 'default'])),
    ...parseIpRoutes(await ip(['-6', 'route', 'show', 'default'])),
  ];
  // systemd-resolved's own file names its stub only; this one has what it asks.
  const resolvers = ['/run/systemd/resolve/resolv.conf', '/etc/resolv.conf'].map(readOr);
  return { links, route, defaultRoutes, resolvers };
}

/** `::ffff:10.0.0.1` is the IPv4 address of a socket that takes both; `%eth0` is the zone of a link-local one. */
export function plainAddress(address: string): string {
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
