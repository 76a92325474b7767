import { realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { exists, listNames, readAttribute, readNumber, type SystemRoots } from './sysfs.ts';

/** A network card: what has a device behind it and speaks Ethernet. */
export interface NetworkCard {
  readonly name: string;
  /** Permanent (burnt-in) address in lower case; null where the kernel knows none. */
  readonly permanentMac: string | null;
  /** Address in use. */
  readonly mac: string | null;
  readonly driver: string | null;
  /** Null where there is no link. */
  readonly speedMbps: number | null;
  readonly hasCarrier: boolean | null;
}

/** ARPHRD_ETHER, include/uapi/linux/if_arp.h */
const ethernetType = '1';
/** NET_ADDR_PERM of `addr_assign_type` (Documentation/ABI/testing/sysfs-class-net). */
const permanentAddress = '0';

/** The machine's network cards, without bridges, bonds, VLANs, tunnels and virtual functions (SR-IOV). */
export async function listNetworkCards(roots: SystemRoots): Promise<NetworkCard[]> {
  const cards: NetworkCard[] = [];
  for (const name of await listNames(join(roots.sysRoot, 'class/net'))) {
    const folder = join(roots.sysRoot, 'class/net', name);
    const isCard =
      (await readAttribute(join(folder, 'type'))) === ethernetType && (await exists(join(folder, 'device')));
    // A virtual function's address is made up by whoever made the function.
    if (isCard && !(await exists(join(folder, 'device/physfn')))) cards.push(await readCard(name, folder));
  }
  return cards;
}

async function readCard(name: string, folder: string): Promise<NetworkCard> {
  const mac = normalizeMac(await readAttribute(join(folder, 'address')));
  const isPermanent = (await readAttribute(join(folder, 'addr_assign_type'))) === permanentAddress;
  // A member of a bond carries the bond's address; its own is kept beside it.
  const ofBondMember = normalizeMac(await readAttribute(join(folder, 'bonding_slave/perm_hwaddr')));
  const speedMbps = await readNumber(join(folder, 'speed'), -1);
  const carrier = await readAttribute(join(folder, 'carrier'));
  return {
    name,
    mac,
    permanentMac: ofBondMember ?? (isPermanent ? mac : null),
    driver: await driverOf(join(folder, 'device')),
    speedMbps: speedMbps > 0 && Number.isInteger(speedMbps) ? speedMbps : null,
    hasCarrier: carrier === null ? null : carrier === '1',
  };
}

/** Name of the driver that a device is bound to, or null. */
export async function driverOf(deviceFolder: string): Promise<string | null> {
  const path = await realpath(join(deviceFolder, 'driver')).catch(() => null);
  return path === null ? null : basename(path);
}

function normalizeMac(text: string | null): string | null {
  const mac = text?.toLowerCase() ?? '';
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac) && mac !== '00:00:00:00:00:00' ? mac : null;
}
