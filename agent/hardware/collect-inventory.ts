import { readFile, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Inventory, inventorySchema } from '../../protocol/inventory.ts';
import type { DiskFacts } from '../disk/types.ts';
import { detectFirmware } from '../provision/detect-firmware.ts';
import { globalAddresses, realInterfaces } from './addresses.ts';
import type { HardwareOptions } from './collect-facts.ts';
import { listGraphicsCards } from './graphics-cards.ts';
import { isEligible, listDisks } from './list-disks.ts';
import { listNetworkCards } from './network-cards.ts';
import { readProcessor } from './processor.ts';
import { readSmbios } from './smbios.ts';
import { listNames, readAttribute, readBytes, realRoots, type SystemRoots } from './sysfs.ts';
import { detectVirtualisation } from './virtualisation.ts';

export interface InventoryOptions extends HardwareOptions {
  /** os-release(5); default `/etc/os-release`. */
  readonly osReleaseFile?: string;
}

/** EFI_GLOBAL_VARIABLE (UEFI specification 2.10, section 3.3). */
const secureBootVariable = 'SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c';

/** The machine's hardware; what cannot be read is null. Disks only, no loop devices, optical drives and the like. */
export async function collectInventory(options: InventoryOptions = {}): Promise<Inventory> {
  const roots = { ...realRoots, ...options.roots };
  const addresses = globalAddresses(options.interfaces ?? realInterfaces);
  const found = (await listDisks(roots)).filter(({ kind }) => kind === 'disk');
  const disks = options.markMedia === undefined ? found : await options.markMedia(found);
  const links = await diskLinks(roots);
  return inventorySchema.parse({
    cpu: await readProcessor(roots),
    memory_bytes: await memoryBytes(roots),
    disks: disks.slice(0, 4096).map((disk) => toInventory(disk, links)),
    nics: (await listNetworkCards(roots)).slice(0, 1024).map(({ name, mac, permanentMac, ...card }) => ({
      name,
      mac: permanentMac ?? mac,
      driver: card.driver,
      speed_mbps: card.speedMbps,
      has_carrier: card.hasCarrier,
      addresses: (addresses.get(name) ?? []).slice(0, 256),
    })),
    gpus: (await listGraphicsCards(roots)).slice(0, 256),
    firmware: {
      kind: detectFirmware(roots.sysRoot),
      vendor: await readSmbios(roots, 'bios_vendor'),
      version: await readSmbios(roots, 'bios_version'),
      secure_boot: await isSecureBoot(roots),
    },
    virtualisation: await detectVirtualisation(roots),
    kernel: short(await readAttribute(join(roots.procRoot, 'sys/kernel/osrelease'))),
    os: await osName(options.osReleaseFile ?? '/etc/os-release'),
  } satisfies Inventory);
}

function toInventory(disk: DiskFacts, links: ReadonlyMap<string, string>): Inventory['disks'][number] {
  const reason = isEligible(disk);
  return {
    path: disk.path,
    by_id: links.get(disk.name) ?? null,
    serial: short(disk.serial),
    wwn: short(disk.wwn),
    model: short(disk.model),
    size_bytes: disk.sizeBytes,
    sector_bytes: disk.sectorBytes,
    transport: disk.transport,
    is_eligible: reason === null,
    reason: short(reason),
  };
}

/** Kernel name → name under /dev/disk/by-id, one with model and serial number where there is one; none without udev. */
async function diskLinks(roots: SystemRoots): Promise<Map<string, string>> {
  const folder = join(roots.devRoot, 'disk/by-id');
  const isBare = (name: string): boolean => /^(wwn-|nvme-(eui|uuid|nvme)\.|scsi-[0-9])/.test(name);
  const names = (await listNames(folder)).sort((a, b) => Number(isBare(a)) - Number(isBare(b)));
  const links = new Map<string, string>();
  for (const name of names) {
    const target = await readlink(join(folder, name)).catch(() => null);
    if (target !== null && !links.has(basename(target))) links.set(basename(target), name);
  }
  return links;
}

async function memoryBytes(roots: SystemRoots): Promise<number | null> {
  const text = (await readAttribute(join(roots.procRoot, 'meminfo'))) ?? '';
  const kibibytes = /^MemTotal:\s+(\d+) kB$/m.exec(text)?.[1];
  return kibibytes === undefined ? null : Number(kibibytes) * 1024;
}

/** Four bytes of attributes, then the value (Documentation/filesystems/efivarfs.rst). Null: not UEFI, or not mounted. */
async function isSecureBoot(roots: SystemRoots): Promise<boolean | null> {
  const bytes = await readBytes(join(roots.sysRoot, 'firmware/efi/efivars', secureBootVariable));
  return bytes?.length === 5 ? bytes[4] === 1 : null;
}

async function osName(file: string): Promise<string | null> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const value = /^PRETTY_NAME=(?:"([^"]*)"|'([^']*)'|(.*))$/m.exec(text);
  return short(value?.[1] ?? value?.[2] ?? value?.[3] ?? null);
}

function short(text: string | null): string | null {
  return text === null || text === '' ? null : text.slice(0, 256);
}
