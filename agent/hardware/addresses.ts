import { isIP } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

/** Interface → its addresses, as `os.networkInterfaces` gives them; tests give their own. */
export type ReadInterfaces = () => Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

export const realInterfaces: ReadInterfaces = networkInterfaces;

/** Addresses of global scope, without prefix length and zone, by interface; neither loopback nor link-local. */
export function globalAddresses(read: ReadInterfaces): Map<string, string[]> {
  const byName = new Map<string, string[]>();
  for (const [name, entries = []] of Object.entries(read())) {
    const addresses = entries
      .filter((entry) => !entry.internal && isGlobal(entry.address))
      .map(({ address }) => address);
    if (addresses.length > 0) byName.set(name, addresses);
  }
  return byName;
}

/** Not for one link only (RFC 3927, RFC 4291 section 2.5.6) and not for one machine only. */
function isGlobal(address: string): boolean {
  if (isIP(address) === 4) return !address.startsWith('169.254.') && !address.startsWith('127.');
  return isIP(address) === 6 && !/^fe[89ab]/i.test(address) && address !== '::1';
}
