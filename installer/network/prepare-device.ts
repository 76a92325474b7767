import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../core/base/errors.ts';
import type { AddressPlan } from './address-plan.ts';
import { ip, tryIp, tryIpBatch } from './ip-command.ts';
import type { KernelLink } from './read-kernel-links.ts';

export interface DeviceRequest {
  /** The hardware's device. */
  readonly link: KernelLink;
  /** What carries the addresses: the same, or the VLAN's device, which is made. */
  readonly device: string;
  readonly vlanId: number | null;
  readonly plan: AddressPlan;
  readonly procFolder: string;
}

/**
 * Makes a link ready to get addresses: nothing left on it of an earlier attempt, its MAC address and MTU as wanted, the
 * VLAN's device made, and switched on.
 * @throws ProvisionError `tool_missing`, `tool_failed`, `aborted`.
 */
export async function prepareDevice(request: DeviceRequest, signal: AbortSignal): Promise<void> {
  const { link, device, vlanId, plan, procFolder } = request;
  setKernelOptions(procFolder, link.name, vlanId !== null);
  // An installer that was killed leaves them.
  if (link.addresses.some(({ isLinkLocal }) => !isLinkLocal)) {
    for (const family of [4, 6] as const) await tryIpBatch(family, addressRemoval(family, link.name), signal);
  }
  const mtu = plan.mtuBytes === null ? [] : ['mtu', String(plan.mtuBytes)];
  if (plan.macAddress !== null && plan.macAddress !== link.macAddress) {
    // Most drivers change it only while the device is off.
    await ip(['link', 'set', link.name, 'down', 'address', plan.macAddress], signal);
  }
  await ip(['link', 'set', link.name, ...mtu, 'up'], signal);
  if (vlanId === null) return;
  await tryIp(['link', 'del', device, 'type', 'vlan'], signal);
  await ip(['link', 'add', 'link', link.name, 'name', device, 'type', 'vlan', 'id', String(vlanId)], signal);
  setKernelOptions(procFolder, device, false);
  await ip(['link', 'set', device, 'up'], signal);
}

/**
 * Commands for `ip -batch` that take all addresses but its own link-local one from a device; IPv4 routes go with the address
 * they name.
 */
export function addressRemoval(family: 4 | 6, device: string): string[][] {
  if (family === 4) return [['address', 'flush', 'dev', device]];
  const origins = ['ra', 'static'].map((origin) => ['route', 'flush', 'dev', device, 'proto', origin]);
  return [['address', 'flush', 'dev', device, 'scope', 'global'], ...origins];
}

/** Documentation/networking/ip-sysctl.rst. @param isCarrier Only a VLAN on it has addresses. */
function setKernelOptions(procFolder: string, device: string, isCarrier: boolean): void {
  const set = (name: string, value: string): void => {
    try {
      writeFileSync(join(procFolder, 'sys/net', name), value);
    } catch (error) {
      // A kernel without IPv6 has no such file.
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  };
  // dhcpcd reads the advertisements; the kernel's own answer would come before it and for every link.
  set(`ipv6/conf/${device}/accept_ra`, '0');
  set(`ipv6/conf/${device}/autoconf`, '0');
  if (isCarrier) set(`ipv6/conf/${device}/disable_ipv6`, '1');
  // Answers come by the link that asked, also where another link has a better route to the sender.
  for (const name of ['all', device]) set(`ipv4/conf/${name}/rp_filter`, '0');
  // Links in one network must not answer for each other's addresses.
  set(`ipv4/conf/${device}/arp_ignore`, '1');
  set(`ipv4/conf/${device}/arp_announce`, '2');
}
