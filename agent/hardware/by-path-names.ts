import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { blockFolder, listNames, readAttribute, type SystemRoots } from './sysfs.ts';

/**
 * The names that udev would give a whole disk under `/dev/disk/by-path` (systemd, udev-builtin-path_id.c), made from
 * where sysfs has it: an installer has no udev. None for a device that no bus leads to.
 */
export async function byPathNames(name: string, roots: SystemRoots): Promise<string[]> {
  const names: string[] = [];
  for (const path of await devicePaths(name, roots)) {
    const bus = busName(path);
    names.push(...(await unitNames(path, name, roots)).flatMap((unit) => placesOf(path, bus, unit)));
  }
  return [...new Set(names)];
}

/** Where the disk lies, below `/sys/devices`; a multipath NVMe namespace lies below each of its controllers. */
async function devicePaths(name: string, roots: SystemRoots): Promise<string[]> {
  const path = await realpath(blockFolder(roots, name)).catch(() => null);
  if (path === null) return [];
  const subsystem = /^(.*\/nvme-subsystem\/nvme-subsys\d+)\//.exec(path)?.[1];
  if (subsystem === undefined) return [path];
  const controllers = (await listNames(subsystem)).filter((entry) => /^nvme\d+$/.test(entry));
  const real = await Promise.all(controllers.map((entry) => realpath(join(subsystem, entry)).catch(() => null)));
  return real.flatMap((controller) => (controller === null ? [] : [join(controller, name)]));
}

/** The nearest parent on a bus with addresses: the last PCI function, a VMBus or ACPI device. */
function busName(path: string): string | null {
  const pci = [...path.matchAll(/\/([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])(?=\/)/g)].at(-1)?.[1];
  if (pci !== undefined) return `pci-${pci}`;
  const acpi = [...path.matchAll(/\/([A-Z0-9]{4,8}:[0-9a-f]{2})(?=\/)/g)].at(-1)?.[1];
  return acpi === undefined ? null : `acpi-${acpi}`;
}

function placesOf(path: string, bus: string | null, unit: string): string[] {
  // `usb-0:` whatever the bus is: its number changes from boot to boot.
  const usb = [...path.matchAll(/\/\d+-([\d.]+:\d+\.\d+)(?=\/)/g)].at(-1)?.[1];
  const parts = [bus, usb === undefined ? null : `usb-0:${usb}`, unit === '' ? null : unit];
  const place = parts.filter((part) => part !== null).join('-');
  if (place === '') return [];
  // What older versions called disks below virtio, which later ones keep as a second link.
  return bus?.startsWith('pci-') && /\/virtio\d+\//.test(path) ? [place, `virtio-${place}`] : [place];
}

/** What comes behind the bus; udev has more than one name for some. */
async function unitNames(path: string, name: string, roots: SystemRoots): Promise<string[]> {
  const namespace = /^nvme\d+(?:c\d+)?n(\d+)$/.exec(name)?.[1];
  if (namespace !== undefined) {
    return [`nvme-${(await readAttribute(join(blockFolder(roots, name), 'nsid'))) ?? namespace}`];
  }
  const xen = /\/(vbd-\d+)(?=\/)/.exec(path)?.[1];
  if (xen !== undefined) return [`xen-${xen}`];
  const address = /\/(\d+):(\d+):(\d+):(\d+)(?=\/)/.exec(path);
  if (address === null) return [''];
  const [, , channel = '', target = '', lun = ''] = address;
  const ata = /\/(ata(\d+))\//.exec(path);
  if (ata !== null) {
    const port = (await readAttribute(join(roots.sysRoot, 'class/ata_port', ata[1] ?? '', 'port_no'))) ?? ata[2] ?? '';
    return [`ata-${port}`, channel === '0' ? `ata-${port}.${target}` : `ata-${port}.${channel}.0`];
  }
  const vmbus = /\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/host\d+\//.exec(path)?.[1];
  const host = await relativeHost(path);
  const scsi = `scsi-${host}:${channel}:${target}:${lun}`;
  if (vmbus !== undefined) return [`vmbus-${vmbus.replaceAll('-', '')}-lun-${lun}`, scsi];
  const sas = await sasNames(path, lun, roots);
  return sas.length > 0 ? sas : [scsi];
}

/** Host numbers count over the whole machine; udev counts those of one controller from 0. */
async function relativeHost(path: string): Promise<number> {
  const host = /^(.*)\/host(\d+)\//.exec(path);
  if (host === null) return 0;
  const siblings = (await listNames(host[1] ?? '')).flatMap((entry) => /^host(\d+)$/.exec(entry)?.[1] ?? []);
  return Number(host[2]) - Math.min(Number(host[2]), ...siblings.map(Number));
}

/** Disks behind SAS controllers go by the address of their end device, or by the phy that they are plugged into. */
async function sasNames(path: string, lun: string, roots: SystemRoots): Promise<string[]> {
  const folder = /^(.*\/(end_device-[\d:]+))\//.exec(path);
  if (folder === null) return [];
  const device = join(roots.sysRoot, 'class/sas_device', folder[2] ?? '');
  const address = await readAttribute(join(device, 'sas_address'));
  const phy = await readAttribute(join(device, 'phy_identifier'));
  const expander = /^(.*)\/(expander-[\d:]+)\//.exec(dirname(folder[1] ?? ''))?.[2];
  const expanderAddress =
    expander === undefined
      ? null
      : await readAttribute(join(roots.sysRoot, 'class/sas_device', expander, 'sas_address'));
  const behind = expander === undefined ? 'sas' : `sas-exp${expanderAddress ?? basename(expander)}`;
  return [
    ...(address === null ? [] : [`sas-${address}-lun-${lun}`]),
    ...(phy === null ? [] : [`${behind}-phy${phy}-lun-${lun}`]),
  ];
}
