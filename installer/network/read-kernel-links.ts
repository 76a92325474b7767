import { z } from 'zod';
import { listWithIp } from './ip-command.ts';

export interface KernelAddress {
  readonly family: 4 | 6;
  readonly address: string;
  readonly prefixLength: number;
  readonly isLinkLocal: boolean;
  /** Not usable yet: the kernel still asks whether somebody else has it (RFC 4862, section 5.4). */
  readonly isTentative: boolean;
  /** Somebody else has it. */
  readonly isDuplicate: boolean;
  readonly isDeprecated: boolean;
}

/** A network device as the kernel has it now. */
export interface KernelLink {
  readonly name: string;
  readonly index: number;
  readonly macAddress: string;
  /** Burnt in; the same as `macAddress` where nobody set another. */
  readonly permanentMacAddress: string;
  readonly isEthernet: boolean;
  readonly isUp: boolean;
  readonly hasCarrier: boolean;
  /** Part of a bond or bridge, or the fast path of a Hyper-V card: its master is the link. */
  readonly hasMaster: boolean;
  /** Bytes. */
  readonly mtuBytes: number;
  readonly largestMtuBytes: number;
  readonly addresses: readonly KernelAddress[];
}

const addressSchema = z
  .object({
    family: z.string(),
    local: z.string().optional(),
    prefixlen: z.int().optional(),
    scope: z.string().optional(),
    tentative: z.boolean().optional(),
    dadfailed: z.boolean().optional(),
    deprecated: z.boolean().optional(),
    temporary: z.boolean().optional(),
  })
  .transform(({ family, local, prefixlen, scope, ...flags }): KernelAddress[] => {
    if (local === undefined || (family !== 'inet' && family !== 'inet6') || flags.temporary === true) return [];
    return [
      {
        family: family === 'inet' ? 4 : 6,
        address: local,
        prefixLength: prefixlen ?? (family === 'inet' ? 32 : 128),
        isLinkLocal: family === 'inet6' && scope === 'link',
        isTentative: flags.tentative === true,
        isDuplicate: flags.dadfailed === true,
        isDeprecated: flags.deprecated === true,
      },
    ];
  });

const linkSchema = z
  .object({
    ifname: z.string(),
    ifindex: z.int(),
    link_type: z.string().optional(),
    address: z.string().default(''),
    permaddr: z.string().optional(),
    flags: z.array(z.string()).default([]),
    master: z.string().optional(),
    mtu: z.int().default(1500),
    max_mtu: z.int().optional(),
    addr_info: z.array(addressSchema).default([]),
  })
  .transform(
    (link): KernelLink => ({
      name: link.ifname,
      index: link.ifindex,
      macAddress: link.address.toLowerCase(),
      permanentMacAddress: (link.permaddr ?? link.address).toLowerCase(),
      isEthernet: link.link_type === 'ether',
      isUp: link.flags.includes('UP'),
      hasCarrier: link.flags.includes('UP') && link.flags.includes('LOWER_UP') && !link.flags.includes('NO-CARRIER'),
      hasMaster: link.master !== undefined,
      mtuBytes: link.mtu,
      // 0 is "the driver does not say".
      largestMtuBytes: link.max_mtu === undefined || link.max_mtu === 0 ? 65535 : link.max_mtu,
      addresses: link.addr_info.flat(),
    }),
  );

/** All network devices of this network namespace, with their addresses (`ip -json -details address show`). */
export async function readKernelLinks(signal: AbortSignal): Promise<KernelLink[]> {
  return await listWithIp(['-details', 'address', 'show'], linkSchema, signal);
}
