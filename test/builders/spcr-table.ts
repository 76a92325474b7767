/**
 * A table by which firmware says where its serial console is, in full, as `-acpitable file=` of QEMU takes it too
 * (Microsoft, "Serial Port Console Redirection Table", revision 2).
 */
export function spcrTable({
  space = 1,
  address = 0x2f8n,
  speed = 7,
}: {
  space?: number;
  address?: bigint;
  /** "Configured Baud Rate". */
  speed?: number;
} = {}): Buffer {
  const table = Buffer.alloc(80);
  table.write('SPCR', 0, 'latin1');
  table.writeUInt32LE(table.length, 4);
  table[8] = 2;
  table.write('DURANTTESTSPCR', 10, 'latin1');
  table.writeUInt32LE(1, 24);
  table.write('TEST', 28, 'latin1');
  table[40] = space;
  table[41] = 8;
  table.writeBigUInt64LE(address, 44);
  // Interrupt 3 of the 8259, 115200 baud unless said otherwise, one stop bit, ANSI; no PCI device.
  table.set([1, 3], 52);
  table.set([speed, 0, 1, 0, 3], 58);
  table.fill(0xff, 64, 68);
  table[9] = (256 - (table.reduce((sum, byte) => sum + byte, 0) & 0xff)) & 0xff;
  return table;
}
