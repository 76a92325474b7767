import { machine } from 'node:os';
import { join } from 'node:path';
import { buildInfo } from '../../core/base/build-info.ts';
import { type MachineFacts, machineFactsSchema } from '../../protocol/machine-facts.ts';
import type { DiskFacts } from '../disk/types.ts';
import { detectFirmware } from '../provision/detect-firmware.ts';
import { globalAddresses, type ReadInterfaces, realInterfaces } from './addresses.ts';
import { listNetworkCards } from './network-cards.ts';
import { readSmbios } from './smbios.ts';
import { readAttribute, realRoots, type SystemRoots } from './sysfs.ts';

export interface HardwareOptions {
  readonly roots?: Partial<SystemRoots>;
  readonly interfaces?: ReadInterfaces;
  /** Marks disks that may be the medium the installer was started from; an installed system has none. */
  readonly markMedia?: (disks: readonly DiskFacts[]) => Promise<readonly DiskFacts[]>;
}

/** What this machine says about itself when it enrols; what cannot be read is null. */
export async function collectFacts(
  mode: 'installer' | 'installed',
  options: HardwareOptions = {},
): Promise<MachineFacts> {
  const roots = { ...realRoots, ...options.roots };
  const cards = await listNetworkCards(roots);
  return machineFactsSchema.parse({
    ...(await hostFacts(options)),
    system_uuid: await readSmbios(roots, 'product_uuid'),
    system_vendor: await readSmbios(roots, 'sys_vendor'),
    product_name: await readSmbios(roots, 'product_name'),
    system_serial: await readSmbios(roots, 'product_serial'),
    board_serial: await readSmbios(roots, 'board_serial'),
    architecture: machine(),
    firmware: detectFirmware(roots.sysRoot),
    mode,
    agent_version: buildInfo().version,
    nics: cards
      .flatMap(({ name, permanentMac }) => (permanentMac === null ? [] : [{ name, mac: permanentMac }]))
      .slice(0, 256),
  });
}

/** Hostname and addresses of global scope, which each hello says anew. */
export async function hostFacts(
  options: HardwareOptions = {},
): Promise<{ hostname: string | null; addresses: string[] }> {
  const roots = { ...realRoots, ...options.roots };
  const hostname = await readAttribute(join(roots.procRoot, 'sys/kernel/hostname'));
  const addresses = [...globalAddresses(options.interfaces ?? realInterfaces).values()].flat();
  return {
    // What the kernel shows before anyone has set a name.
    hostname: hostname === '(none)' ? null : hostname,
    addresses: [...new Set(addresses)].slice(0, 256),
  };
}
