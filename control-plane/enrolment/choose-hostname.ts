/** Names that an image or an installer has before anybody gave it one. */
const unnamed = new Set([
  'localhost',
  'localhost.localdomain',
  'localhost4',
  'localhost6',
  'none',
  'durantic-installer',
]);

/** RFC 1123, section 2.1: letters, digits and hyphens, labels of at most 63, 253 altogether. */
const hostnamePattern =
  /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

function isHostname(text: string): boolean {
  return hostnamePattern.test(text);
}

export interface HostnameSource {
  /** What the machine calls itself. */
  readonly hostname: string | null;
  readonly macs: readonly string[];
  readonly machineUuid: string;
}

/** The name of a new machine: its own when that is one, else `node-` and the last digits of its first address or UUID. */
export function chooseHostname({ hostname, macs, machineUuid }: HostnameSource): string {
  const own = hostname?.trim() ?? '';
  if (isHostname(own) && !unnamed.has(own.toLowerCase())) return own;
  const digits = (macs[0] ?? machineUuid).replaceAll(/[:-]/g, '');
  return `node-${digits.slice(-6)}`;
}
