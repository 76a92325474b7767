import { join } from 'node:path';
import { hasHypervisorFlag } from './processor.ts';
import { readSmbios, type SmbiosField } from './smbios.ts';
import { readAttribute, type SystemRoots } from './sysfs.ts';

/** Beginnings of SMBIOS texts and the names of systemd-detect-virt(1) (systemd, src/basic/virt.c). */
const vendors: readonly (readonly [string, string])[] = [
  ['KVM', 'kvm'],
  ['OpenStack', 'kvm'],
  ['KubeVirt', 'kvm'],
  ['Amazon EC2', 'amazon'],
  ['QEMU', 'qemu'],
  ['VMware', 'vmware'],
  ['VMW', 'vmware'],
  ['innotek GmbH', 'oracle'],
  ['VirtualBox', 'oracle'],
  ['Oracle Corporation', 'oracle'],
  ['Xen', 'xen'],
  ['Bochs', 'bochs'],
  ['Parallels', 'parallels'],
  ['BHYVE', 'bhyve'],
  ['Hyper-V', 'microsoft'],
  ['Microsoft Corporation', 'microsoft'],
  ['Apple Virtualization', 'apple'],
  ['Google Compute Engine', 'google'],
];

const fields: readonly SmbiosField[] = ['product_name', 'sys_vendor', 'bios_vendor'];

/** What this machine runs in, by the names of systemd-detect-virt(1); `none` on bare metal, `vm-other` for the unknown. */
export async function detectVirtualisation(roots: SystemRoots): Promise<string> {
  const hypervisor = await readAttribute(join(roots.sysRoot, 'hypervisor/type'));
  if (hypervisor === 'xen') return 'xen';
  // Clouds name themselves in the SMBIOS of their bare-metal machines too.
  if (!(await hasHypervisorFlag(roots))) return 'none';
  for (const field of fields) {
    const text = await readSmbios(roots, field);
    const name = vendors.find(([beginning]) => text?.startsWith(beginning))?.[1];
    if (name !== undefined) return name === 'qemu' && (await hasKvmClock(roots)) ? 'kvm' : name;
  }
  return (await hasKvmClock(roots)) ? 'kvm' : 'vm-other';
}

/** QEMU names itself alike with and without KVM; only KVM has its clock. */
async function hasKvmClock(roots: SystemRoots): Promise<boolean> {
  const path = join(roots.sysRoot, 'devices/system/clocksource/clocksource0/available_clocksource');
  return (await readAttribute(path))?.includes('kvm-clock') === true;
}
