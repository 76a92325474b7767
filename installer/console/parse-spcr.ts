/** Where the firmware's own serial console is, and how fast. */
export interface SpcrConsole {
  readonly space: 'io' | 'memory';
  readonly address: bigint;
  /** Bits per second; null: as the firmware has left it, which Linux does not ask for, or not known. */
  readonly speedBaud: number | null;
}

const headerBytes = 36;
/** Of the first revision, which all later ones begin with. */
const shortestTableBytes = 80;

/** What "Configured Baud Rate" may be. */
const speeds: ReadonlyMap<number, number> = new Map([
  [3, 9600],
  [4, 19_200],
  [6, 57_600],
  [7, 115_200],
]);
const speedOffset = 58;

/**
 * Address and speed of the serial port to which the firmware redirects its console, from ACPI's Serial Port Console Redirection
 * table (Microsoft, "Serial Port Console Redirection Table"); null when redirection is off or the table is damaged.
 */
export function parseSpcr(table: Uint8Array): SpcrConsole | null {
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  if (table.length < shortestTableBytes || Buffer.from(table.subarray(0, 4)).toString('latin1') !== 'SPCR') return null;
  const lengthBytes = view.getUint32(4, true);
  if (lengthBytes < shortestTableBytes || lengthBytes > table.length) return null;
  const sum = table.subarray(0, lengthBytes).reduce((total, byte) => (total + byte) & 0xff, 0);
  if (sum !== 0) return null;
  // Generic Address Structure after the interface type and three reserved bytes: space, width, offset, access, address.
  const space = view.getUint8(headerBytes + 4);
  const address = view.getBigUint64(headerBytes + 8, true);
  if (address === 0n || space > 1) return null;
  return { space: space === 1 ? 'io' : 'memory', address, speedBaud: speeds.get(view.getUint8(speedOffset)) ?? null };
}
