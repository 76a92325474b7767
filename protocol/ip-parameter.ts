import { z } from 'zod';

/** A MAC address in lower case with colons. */
export const macAddressSchema = z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, 'must be a MAC address');

/** A name that the kernel accepts for a network interface (dev_valid_name()), in characters a command line can hold. */
export const interfaceNameSchema = z
  .string()
  .regex(/^(?!\.{1,2}$)[!#-.0-9;-~]{1,15}$/, 'must be the name of a network interface, at most 15 characters');

export const ipAddressSchema = z.union([z.ipv4(), z.ipv6()], { error: 'must be an IPv4 or IPv6 address' });

const mtuSchema = z.int().min(68).max(65535);
const hostnameSchema = z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/, 'must be a hostname');

const common = {
  /** Null: every interface (static: the only one that has a link). */
  interface: interfaceNameSchema.nullable(),
  hostname: hostnameSchema.nullable(),
  /** Bytes. */
  mtu: mtuSchema.nullable(),
  /** The interface is to have this address. */
  macAddress: macAddressSchema.nullable(),
  nameservers: z.array(ipAddressSchema).max(2),
};

/** One `ip=` in dracut's form (dracut.cmdline(7)). */
export const ipParameterSchema = z
  .discriminatedUnion('method', [
    z.object({ method: z.enum(['dhcp', 'dhcp6', 'auto6', 'either6', 'link6']), ...common }),
    z.object({
      method: z.literal('static'),
      address: ipAddressSchema,
      prefixLength: z.int().min(0).max(128),
      /** The far end of a point-to-point link. */
      peer: ipAddressSchema.nullable(),
      gateway: ipAddressSchema.nullable(),
      ...common,
    }),
  ])
  .refine((ip) => ip.method !== 'static' || isIpv6(ip.address) || ip.prefixLength <= 32, {
    error: 'the prefix of an IPv4 address has at most 32 bits',
  })
  .refine(
    (ip) =>
      ip.method !== 'static' ||
      [ip.gateway, ip.peer].every((other) => other === null || isIpv6(other) === isIpv6(ip.address)),
    { error: 'address, gateway and peer must be of one family' },
  )
  .refine((ip) => ip.nameservers.length === 0 || (ip.mtu === null && ip.macAddress === null), {
    error: 'name servers stand where MTU and MAC address would: use nameserver=',
  });

export type IpParameter = z.infer<typeof ipParameterSchema>;

/** A value, or a sentence that says why there is none. */
export type Parsed<T> = { readonly value: T } | { readonly problem: string };

type Method = IpParameter['method'];

const methods: ReadonlyMap<string, Method> = new Map([
  ['dhcp', 'dhcp'],
  ['on', 'dhcp'],
  ['any', 'dhcp'],
  ['single-dhcp', 'dhcp'],
  ['dhcp6', 'dhcp6'],
  ['auto6', 'auto6'],
  ['either6', 'either6'],
  ['link6', 'link6'],
  ['none', 'static'],
  ['off', 'static'],
]);

/**
 * Parses the value of one `ip=`: a method alone, `interface:method[:mtu[:mac]]`, or
 * `address:[peer]:gateway:netmask:hostname:interface:method[:mtu[:mac]]` / `…[:dns1[:dns2]]` (ip_to_var() of dracut's
 * net-lib.sh). IPv6 addresses stand in brackets. PXELINUX's `ip=address:server:gateway:netmask` is the third form cut
 * short.
 */
export function parseIpParameter(text: string): Parsed<IpParameter> {
  const fields = splitFields(text);
  const [first = '', second = ''] = fields;
  const word = fields.length === 1 ? first : second;
  const method = methods.get(word);
  if (method === undefined && fields.length === 1) return { problem: `${first} is no way to get an address` };
  if (method === undefined) return parseFull(fields);
  if (method === 'static') return { problem: `${word} needs an address` };
  const rest = tail(fields.slice(2));
  if ('problem' in rest) return rest;
  return checked({ method, interface: fields.length === 1 ? null : emptyAsNull(first), hostname: null, ...rest.value });
}

/** The value of `ip=` that `parseIpParameter` reads back as this. */
export function formatIpParameter(ip: IpParameter): string {
  const [firstServer, secondServer] = ip.nameservers;
  const end =
    firstServer === undefined
      ? [ip.mtu === null ? '' : String(ip.mtu), ip.macAddress ?? '']
      : [bracketed(firstServer), secondServer === undefined ? '' : bracketed(secondServer)];
  if (ip.method === 'static') {
    const peer = ip.peer === null ? '' : bracketed(ip.peer);
    const gateway = ip.gateway === null ? '' : bracketed(ip.gateway);
    const head = [bracketed(ip.address), peer, gateway, String(ip.prefixLength), ip.hostname ?? ''];
    return join([...head, ip.interface ?? '', 'none', ...end]);
  }
  if (ip.hostname !== null || firstServer !== undefined) {
    return join(['', '', '', '', ip.hostname ?? '', ip.interface ?? '', ip.method, ...end]);
  }
  if (ip.interface === null && end.every((field) => field === '')) return ip.method;
  return join([ip.interface ?? '', ip.method, ...end]);
}

/** An address without brackets, or null: `nameserver=` takes both forms. */
export function parseAddress(text: string): string | null {
  const bare = /^\[(.*)\]$/.exec(text)?.[1] ?? text;
  return ipAddressSchema.safeParse(bare).success ? bare : null;
}

/** Any usual writing of a MAC address as lower case with colons; null when it is none. */
export function parseMacAddress(text: string): string | null {
  const mac = text.toLowerCase().replaceAll('-', ':');
  return macAddressSchema.safeParse(mac).success ? mac : null;
}

function parseFull(fields: readonly string[]): Parsed<IpParameter> {
  const [client = '', peer = '', gateway = '', netmask = '', hostname = '', device = '', word = '', ...more] = fields;
  const method = methods.get(word === '' ? (client === '' ? 'dhcp' : 'none') : word);
  if (method === undefined) return { problem: `${word} is no way to get an address` };
  const rest = tail(more);
  if ('problem' in rest) return rest;
  const common = { interface: emptyAsNull(device), hostname: emptyAsNull(hostname), ...rest.value };
  if (method !== 'static') {
    if (client !== '') return { problem: `an address makes no sense with ${word}` };
    return checked({ method, ...common });
  }
  if (client === '') return { problem: `${word} needs an address` };
  const [address = '', slashPrefix] = client.split('/', 2);
  const prefixLength = parsePrefix(slashPrefix ?? netmask);
  if (prefixLength === null) return { problem: netmask === '' ? 'the netmask is missing' : `${netmask} is no netmask` };
  // Of the four fields that PXELINUX gives, the second is the boot server, no peer.
  const others = { peer: fields.length <= 4 ? null : emptyAsNull(peer), gateway: emptyAsNull(gateway) };
  return checked({ method, address, prefixLength, ...others, ...common });
}

/** What follows the method: MTU and MAC address, or two name servers. */
function tail(fields: readonly string[]): Parsed<Pick<IpParameter, 'mtu' | 'macAddress' | 'nameservers'>> {
  const [first = '', ...rest] = fields;
  if (parseAddress(first) !== null) {
    const [second = '', ...surplus] = rest;
    if (surplus.length > 0) return { problem: 'it has more fields than dracut’s form' };
    return { value: { mtu: null, macAddress: null, nameservers: second === '' ? [first] : [first, second] } };
  }
  if (first !== '' && !/^\d{1,5}$/.test(first)) return { problem: `${first} is neither an MTU nor an address` };
  const macText = rest.join(':');
  const macAddress = macText === '' ? null : parseMacAddress(macText);
  if (macText !== '' && macAddress === null) return { problem: `${macText} is no MAC address` };
  return { value: { mtu: first === '' ? null : Number(first), macAddress, nameservers: [] } };
}

/** Fields between colons; brackets keep the colons of an IPv6 address together and are taken off. */
function splitFields(text: string): string[] {
  const fields: string[] = [];
  for (let rest = `${text}:`; rest !== ''; ) {
    const field = /^(?:\[([^\]]*)\]([^:]*)|([^:]*)):/.exec(rest);
    if (field === null) return [text];
    fields.push(field[3] ?? `${field[1]}${field[2]}`);
    rest = rest.slice(field[0].length);
  }
  return fields;
}

function parsePrefix(text: string): number | null {
  if (/^\d{1,3}$/.test(text)) return Number(text);
  const octets = text.split('.').map(Number);
  if (!z.ipv4().safeParse(text).success) return null;
  const bits = octets.map((octet) => octet.toString(2).padStart(8, '0')).join('');
  return /^1*0*$/.test(bits) ? bits.replaceAll('0', '').length : null;
}

function checked(candidate: IpParameter | Record<string, unknown>): Parsed<IpParameter> {
  const result = ipParameterSchema.safeParse(candidate);
  if (result.success) return { value: result.data };
  const issue = result.error.issues[0];
  const where = issue?.path[0];
  return {
    problem: where === undefined ? (issue?.message ?? 'it is not valid') : `${String(where)} ${issue?.message}`,
  };
}

function join(fields: readonly string[]): string {
  return fields.join(':').replace(/:+$/, '');
}

function bracketed(address: string): string {
  return isIpv6(address) ? `[${address}]` : address;
}

function isIpv6(address: string): boolean {
  return address.includes(':');
}

function emptyAsNull(text: string): string | null {
  return text === '' ? null : text;
}
