import { z } from 'zod';
import {
  formatIpParameter,
  interfaceNameSchema,
  ipAddressSchema,
  ipParameterSchema,
  macAddressSchema,
  type Parsed,
  parseAddress,
  parseIpParameter,
  parseMacAddress,
} from './ip-parameter.ts';
import { pinSchema } from './public-key.ts';

/** Seconds of patience for a link and its DHCP: spanning tree and LACP take their time. */
export const defaultLinkTimeoutSeconds = 90;

const httpUrlSchema = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' });

/** Scheme, host and port of a server, without a slash at the end. */
export const serverOriginSchema = httpUrlSchema.refine((text) => URL.parse(text)?.origin === text, {
  error: 'must be scheme, host and port of the server and nothing else',
});

/** The characters of a compact JWE and of any other token one may think of; none has a meaning on a command line. */
export const bootTokenSchema = z.string().regex(/^[A-Za-z0-9._~+/=-]{1,4096}$/, 'is no bootstrap token');

/** What an installer is told on its kernel command line (protocol.md, "Kernel parameters"). */
export const kernelParametersSchema = z.object({
  server: serverOriginSchema.nullable(),
  token: bootTokenSchema.nullable(),
  pin: pinSchema.nullable(),
  console: z.enum(['auto', 'tty', 'serial'], { error: 'must be auto, tty or serial' }),
  /** The only interface to use: its name, or its MAC address. */
  interface: z
    .union([macAddressSchema, interfaceNameSchema], {
      error: 'must be the name of a network interface, at most 15 characters, or a MAC address',
    })
    .nullable(),
  vlan: z.int({ error: 'must be 1 to 4094' }).min(1, 'must be 1 to 4094').max(4094, 'must be 1 to 4094').nullable(),
  addresses: z.array(ipParameterSchema),
  nameservers: z.array(ipAddressSchema),
  /** OpenSSH public keys; none: no remote shell. */
  authorizedKeys: z.array(
    z.string().regex(/^[a-z0-9@.-]+ [A-Za-z0-9+/]+=*( [\x21\x23-\x7e ]*)?$/, 'must be an OpenSSH public key'),
  ),
  proxy: httpUrlSchema.nullable(),
  shell: z.boolean(),
  linkTimeoutSeconds: z
    .int({ error: 'must be 1 to 86400 seconds' })
    .min(1, 'must be 1 to 86400 seconds')
    .max(86_400, 'must be 1 to 86400 seconds'),
  debug: z.boolean(),
  /** MAC address of the interface that the machine was booted from. */
  bootMac: macAddressSchema.nullable(),
});

export type KernelParameters = z.infer<typeof kernelParametersSchema>;

/** Without any parameter. */
export const noKernelParameters: KernelParameters = {
  server: null,
  token: null,
  pin: null,
  console: 'auto',
  interface: null,
  vlan: null,
  addresses: [],
  nameservers: [],
  authorizedKeys: [],
  proxy: null,
  shell: false,
  linkTimeoutSeconds: defaultLinkTimeoutSeconds,
  debug: false,
  bootMac: null,
};

export interface ParameterDefinition {
  /** Adds one occurrence to the result, or says what is wrong with it. */
  readonly parse: (value: string | null, into: KernelParameters) => Parsed<Partial<KernelParameters>>;
  /** The values that `parse` makes the same parameters from; null is a word without value. */
  readonly format: (parameters: KernelParameters) => readonly (string | null)[];
  readonly isList?: boolean;
}

/** Every parameter that the installer knows. */
export const parameterDefinitions: ReadonlyMap<string, ParameterDefinition> = new Map(
  Object.entries({
    'durantic.server': scalar('server', asOrigin),
    'durantic.pin': scalar('pin', (text) => text.toLowerCase()),
    'durantic.token': scalar('token'),
    'durantic.console': scalar('console'),
    'durantic.interface': scalar('interface', (text) => parseMacAddress(text) ?? text),
    'durantic.vlan': scalar('vlan', wholeNumber),
    ip: list('addresses', parseIpParameter, formatIpParameter),
    nameserver: list('nameservers', (text) => orProblem(parseAddress(text), `${text} is no address`), bracketIpv6),
    'durantic.authorized_key': list('authorizedKeys', (text) => ({ value: text })),
    'durantic.proxy': scalar('proxy'),
    'durantic.link_timeout': scalar('linkTimeoutSeconds', wholeNumber),
    'durantic.shell': flag('shell'),
    'durantic.debug': flag('debug'),
    BOOTIF: {
      parse: (text) => {
        // The first byte is the ARP type of the hardware: 01 is Ethernet (PXELINUX, SYSAPPEND 2).
        const mac = parseMacAddress((text ?? '').replace(/^[0-9a-fA-F]{2}[-:](?=(?:[0-9a-fA-F]{2}[-:]){5})/, ''));
        return mac === null ? { problem: 'must be 01- and a MAC address' } : { value: { bootMac: mac } };
      },
      format: ({ bootMac }) => (bootMac === null ? [] : [`01-${bootMac.replaceAll(':', '-')}`]),
    },
  } satisfies Record<string, ParameterDefinition>),
);

function scalar(key: keyof KernelParameters, read: (text: string) => unknown = (text) => text): ParameterDefinition {
  const schema = kernelParametersSchema.shape[key];
  return {
    parse: (text) => {
      if (text === null || text === '') return { problem: 'needs a value' };
      const result = schema.safeParse(read(text));
      if (!result.success) return { problem: result.error.issues[0]?.message ?? 'is not valid' };
      return { value: { [key]: result.data } };
    },
    format: (parameters) => {
      const value = parameters[key];
      return value === null || value === noKernelParameters[key] ? [] : [String(value)];
    },
  };
}

function flag(key: 'shell' | 'debug'): ParameterDefinition {
  return {
    parse: (text) => {
      if (text === null || /^(1|yes|on|true)$/.test(text)) return { value: { [key]: true } };
      if (/^(0|no|off|false)$/.test(text)) return { value: { [key]: false } };
      return { problem: 'takes no value, or 1 or 0' };
    },
    format: (parameters) => (parameters[key] ? [null] : []),
  };
}

function list<K extends 'addresses' | 'nameservers' | 'authorizedKeys'>(
  key: K,
  read: (text: string) => Parsed<KernelParameters[K][number]>,
  write: (item: never) => string = (item) => item,
): ParameterDefinition {
  const schema = kernelParametersSchema.shape[key];
  return {
    isList: true,
    parse: (text, into) => {
      if (text === null || text === '') return { problem: 'needs a value' };
      const item = read(text);
      if ('problem' in item) return item;
      const result = schema.safeParse([...into[key], item.value]);
      if (!result.success) return { problem: result.error.issues[0]?.message ?? 'is not valid' };
      return { value: { [key]: result.data } };
    },
    format: (parameters) => parameters[key].map((item) => write(item as never)),
  };
}

/** `https://Host:443/` is the origin `https://host`; anything more than an origin stays what it is, and is refused. */
function asOrigin(text: string): string {
  const url = URL.parse(text);
  return url !== null && url.href === `${url.origin}/` ? url.origin : text;
}

function wholeNumber(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
}

function bracketIpv6(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

function orProblem<T>(value: T | null, problem: string): Parsed<T> {
  return value === null ? { problem } : { value };
}
