import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DiskFacts } from '../disk/types.ts';
import { blockFolder, exists, readAttribute, readBytes, type SystemRoots } from './sysfs.ts';

export interface DiskIdentity {
  readonly transport: string | null;
  readonly model: string | null;
  readonly serial: string | null;
  readonly wwn: string | null;
}

/**
 * What tells one disk from another, from sysfs alone. NVMe and virtio have `serial` attributes; SCSI and ATA disks give
 * it in VPD page 0x80 (SPC-4 7.8.15: a header of 4 bytes, then text).
 */
export async function readIdentity(name: string, roots: SystemRoots): Promise<DiskIdentity> {
  const folder = blockFolder(roots, name);
  const device = join(folder, 'device');
  const vendor = await readAttribute(join(device, 'vendor'));
  const model = (await readAttribute(join(device, 'model'))) ?? (await readAttribute(join(device, 'name')));
  const page80 = await readBytes(join(device, 'vpd_pg80'));
  const serial =
    (await readAttribute(join(folder, 'serial'))) ??
    (await readAttribute(join(device, 'serial'))) ??
    (page80 === null ? null : textOf(page80.subarray(4))) ??
    (await usbSerial(device));
  const wwid = (await readAttribute(join(folder, 'wwid'))) ?? (await readAttribute(join(device, 'wwid')));
  const isGenericVendor = vendor === null || vendor === 'ATA' || vendor.startsWith('0x');
  return {
    transport: await transportOf(name, device, roots),
    model: model === null || isGenericVendor ? model : `${vendor} ${model}`,
    serial,
    wwn: wwid === null ? null : normalizeWwn(wwid),
  };
}

/**
 * The serial number that the USB device above a disk gives itself: Linux asks no disk behind a USB bridge for its VPD
 * pages (drivers/usb/storage/scsiglue.c), and udev takes this one too.
 */
async function usbSerial(device: string): Promise<string | null> {
  let folder = await realpath(device).catch(() => '/');
  for (; /\/usb\d/.test(folder); folder = dirname(folder)) {
    if (await exists(join(folder, 'idVendor'))) return await readAttribute(join(folder, 'serial'));
  }
  return null;
}

/** One spelling for `naa.5000…`, `eui.…`, `0x5000…` and `wwn-0x5000…`; other forms only in lower case. */
export function normalizeWwn(text: string): string {
  return text
    .trim()
    .toLowerCase()
    .replace(/^(wwn-)?(0x|naa\.|eui\.)/, '')
    .replace(/\s+/g, ' ');
}

/** What a device is by its kernel name and sysfs entries (Documentation/admin-guide/devices.txt). */
export async function kindOf(name: string, roots: SystemRoots): Promise<DiskFacts['kind']> {
  const folder = blockFolder(roots, name);
  if (await exists(join(folder, 'partition'))) return 'partition';
  if (/^loop\d+$/.test(name)) return 'loop';
  if (/^(sr|scd|pcd)\d+$/.test(name) || (await readAttribute(join(folder, 'device/type'))) === '5') return 'cdrom';
  if (/^fd\d+$/.test(name)) return 'floppy';
  if (/^zram\d+$/.test(name)) return 'zram';
  if (/^ram\d+$/.test(name)) return 'ram';
  if (await exists(join(folder, 'md'))) return 'md';
  if (await exists(join(folder, 'dm'))) return 'dm';
  if (/^(sd[a-z]+|hd[a-z]+|vd[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+|nbd\d+|dasd[a-z]+|pmem\d+)$/.test(name))
    return 'disk';
  return 'other';
}

async function transportOf(name: string, device: string, roots: SystemRoots): Promise<string | null> {
  if (name.startsWith('nvme')) return 'nvme';
  if (name.startsWith('mmcblk')) return 'mmc';
  const path = await realpath(device).catch(() => null);
  if (path === null) return null;
  const below = path.slice((await realpath(roots.sysRoot)).length);
  const rules: readonly (readonly [RegExp, string])[] = [
    [/\/usb\d/, 'usb'],
    [/\/virtio\d/, 'virtio'],
    [/\/ata\d/, 'sata'],
    [/\/session\d/, 'iscsi'],
    [/\/rport-/, 'fc'],
    [/\/end_device-/, 'sas'],
    [/\/vbd-/, 'xen'],
    [/\/vmbus|\/VMBUS/, 'vmbus'],
    [/\/host\d+\//, 'scsi'],
  ];
  return rules.find(([pattern]) => pattern.test(below))?.[1] ?? null;
}

function textOf(bytes: Buffer): string | null {
  const text = bytes.toString('latin1').replaceAll('\0', ' ').trim();
  return text === '' ? null : text;
}
