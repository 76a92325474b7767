/** A parsed IPv4 network; addresses are unsigned 32-bit numbers. */
export interface NetworkRange {
  readonly network: number;
  readonly broadcast: number;
}

/** RFC 1918, section 3. */
const privateRanges: readonly NetworkRange[] = [
  { network: 0x0a000000, broadcast: 0x0affffff },
  { network: 0xac100000, broadcast: 0xac1fffff },
  { network: 0xc0a80000, broadcast: 0xc0a8ffff },
];

const cidrForm = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\/([1-9]|[12]\d|30)$/;

/** What is wrong with `text` as the CIDR of a mesh network, as a sentence for a person; null: nothing. */
export function problemOfNetworkCidr(text: string): string | null {
  const match = cidrForm.exec(text);
  const octets = match?.slice(1, 5).map(Number) ?? [];
  if (match === null || octets.some((octet) => octet > 255)) {
    return 'network_cidr must be an IPv4 network such as 10.42.0.0/24, with a prefix length of at most 30';
  }
  const address = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  const range = rangeOf(address, Number(match[5]));
  if (range.network !== address) {
    return `network_cidr must begin with the network's address: ${addressText(range.network)}/${match[5]}`;
  }
  if (!privateRanges.some((outer) => outer.network <= range.network && range.broadcast <= outer.broadcast)) {
    return 'network_cidr must lie in one of the private ranges 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16';
  }
  return null;
}

/** The range of a CIDR that `problemOfNetworkCidr` has nothing against. */
export function parseNetworkCidr(text: string): NetworkRange {
  const [address = '', prefix = ''] = text.split('/');
  return rangeOf(parseAddress(address), Number(prefix));
}

/** Addresses that machines can have: all but those of the network itself and of its broadcast. */
export function hostCount({ network, broadcast }: NetworkRange): number {
  return broadcast - network - 1;
}

/** `10.0.0.1` as a number. */
export function parseAddress(text: string): number {
  return text.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

/** The dotted form of an address. */
export function addressText(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}

function rangeOf(address: number, prefixLength: number): NetworkRange {
  const size = 2 ** (32 - prefixLength);
  const network = Math.floor(address / size) * size;
  return { network, broadcast: network + size - 1 };
}
