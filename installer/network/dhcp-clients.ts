import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { throwIfAborted } from '../../core/base/abort.ts';
import type { AddressPlan } from './address-plan.ts';
import { hookPath, runClient } from './client-hook.ts';
import { type Facts6, type Lease4, noFacts6, parseFacts6, parseLease4 } from './parse-lease.ts';

export interface ClientOptions {
  readonly device: string;
  readonly macAddress: string;
  readonly plan: AddressPlan;
  /** Holds the script; see `writeClientHook`. */
  readonly runtimeFolder: string;
  readonly signal: AbortSignal;
}

/**
 * DHCPv4 by udhcpc of busybox until it ends. Its client identifier (option 61) is 01 and the MAC address, as
 * `dhcp-identifier: mac` makes it on the installed system, so that both hold one lease (failure row F18). It asks every
 * three seconds for ever, renews, and falls back to asking when the lease is over.
 * @param onLease Null: the address must not be used any more.
 * @throws ProvisionError `tool_missing`, `tool_failed`, `aborted`.
 */
export async function runDhcp4(options: ClientOptions, onLease: (lease: Lease4 | null) => void): Promise<void> {
  const { device, macAddress, plan } = options;
  const clientId = `0x3d:01${macAddress.replaceAll(':', '')}`;
  const hostname = plan.hostname === null ? [] : ['-x', `hostname:${plan.hostname}`];
  const wanted = ['mtu', 'search', 'staticroutes'].flatMap((option) => ['-O', option]);
  const client = ['busybox', 'udhcpc', '-f', '-i', device, '-s', hookPath(options.runtimeFolder)] as const;
  const patience = ['-t', '3', '-T', '3', '-A', '3'];
  const command = [...client, ...patience, '-x', clientId, ...hostname, ...wanted] as const;
  let isFirst = true;
  for await (const facts of runClient([...command], options.signal)) {
    const event = facts.get('event');
    // It begins with "deconfig", whatever is there: a lease of before a short loss of the carrier is given some time.
    if (event === 'leasefail' || (event === 'deconfig' && !isFirst)) onLease(null);
    if (event === 'bound' || event === 'renew') onLease(parseLease4(facts));
    isFirst = false;
  }
  throwIfAborted(options.signal);
}

/**
 * IPv6 by dhcpcd until it ends: it sends router solicitations, makes addresses and routes of the advertisements, and
 * starts DHCPv6 when they say so. Addresses and routes are its own work; what the kernel does not show comes by `onFacts`.
 * @throws ProvisionError `tool_missing`, `tool_failed`, `aborted`.
 */
export async function runDhcpcd6(options: ClientOptions, onFacts: (facts: Facts6) => void): Promise<void> {
  const { device, signal } = options;
  const file = join(options.runtimeFolder, `dhcpcd-${device}.conf`);
  writeFileSync(file, dhcpcdConfiguration(options.plan, hookPath(options.runtimeFolder)), { mode: 0o600 });
  let advertised = noFacts6;
  let leased = noFacts6;
  for await (const record of runClient(['dhcpcd', '-6', '-B', '-f', file, device], signal)) {
    const facts = parseFacts6(record);
    if (record.get('reason') === 'ROUTERADVERT') advertised = facts ?? noFacts6;
    else if (facts !== null) leased = facts;
    else if (['EXPIRE6', 'STOP6', 'NAK6'].includes(record.get('reason') ?? '')) leased = noFacts6;
    onFacts(joined(advertised, leased));
  }
  throwIfAborted(signal);
}

function joined(advertised: Facts6, leased: Facts6): Facts6 {
  return {
    router: advertised.router,
    isManaged: advertised.isManaged,
    leased: leased.leased,
    nameservers: [...new Set([...leased.nameservers, ...advertised.nameservers])],
    searchDomains: [...new Set([...leased.searchDomains, ...advertised.searchDomains])],
  };
}

/** dhcpcd.conf(5). */
export function dhcpcdConfiguration(plan: AddressPlan, hook: string): string {
  const lines = [
    `script ${hook}`,
    'ipv6only',
    // The agent goes on using the addresses when the installer's network ends.
    'persistent',
    'nodev',
    'nodelay',
    'slaac hwaddr',
    'duid ll',
    'option dhcp6_name_servers, dhcp6_domain_search',
    ...(plan.advertisements === 'routes' ? ['ipv6ra_noautoconf'] : []),
    // Without ia_na it asks when an advertisement says so.
    ...(plan.dhcp6 === 'always' ? ['ia_na'] : []),
    ...(plan.dhcp6 === 'never' ? ['nodhcp6'] : []),
  ];
  return `${lines.join('\n')}\n`;
}
