import { join } from 'node:path';
import { driverOf } from './network-cards.ts';
import { exists, listNames, readAttribute, type SystemRoots } from './sysfs.ts';

export interface GraphicsCard {
  /** A name where it is a usual one, else the PCI id, `0x10de`. */
  readonly vendor: string | null;
  /** PCI device id, `0x20b5`. */
  readonly device: string | null;
  readonly driver: string | null;
}

/** PCI vendor ids (pcisig.com, "Member companies"). */
const vendorNames: Readonly<Record<string, string>> = {
  '0x1002': 'AMD',
  '0x102b': 'Matrox',
  '0x10de': 'NVIDIA',
  '0x1234': 'QEMU',
  '0x1414': 'Microsoft',
  '0x15ad': 'VMware',
  '0x1a03': 'ASPEED',
  '0x1af4': 'Red Hat',
  '0x1b36': 'Red Hat',
  '0x8086': 'Intel',
};

/**
 * Display controllers and processing accelerators (PCI Code and ID Assignment Specification, 1.4 and 1.19): AMD's newest
 * computing GPUs are of the second kind. Without the virtual functions (SR-IOV) that one card offers by the dozen.
 */
const classes = /^0x(03|12)/;

/** The machine's cards, in the order of their slots. */
export async function listGraphicsCards(roots: SystemRoots): Promise<GraphicsCard[]> {
  const folder = join(roots.sysRoot, 'bus/pci/devices');
  const cards: GraphicsCard[] = [];
  for (const name of await listNames(folder)) {
    const device = join(folder, name);
    if (!classes.test((await readAttribute(join(device, 'class'))) ?? '')) continue;
    if (await exists(join(device, 'physfn'))) continue;
    const vendor = await readAttribute(join(device, 'vendor'));
    cards.push({
      vendor: vendor === null ? null : (vendorNames[vendor] ?? vendor),
      device: await readAttribute(join(device, 'device')),
      driver: await driverOf(device),
    });
  }
  return cards;
}
