import type { DiskFacts } from '../disk/types.ts';
import { normalizeWwn } from './disk-identity.ts';

/** Which transports a prefix of `/dev/disk/by-id` stands for (systemd, rules.d/60-persistent-storage.rules). */
const transportsOfBus: Readonly<Record<string, readonly string[]>> = {
  ata: ['sata', 'usb', 'sas', 'scsi'],
  nvme: ['nvme'],
  scsi: ['sas', 'scsi', 'fc', 'iscsi', 'sata', 'vmbus'],
  usb: ['usb'],
  virtio: ['virtio'],
  mmc: ['mmc'],
};

/**
 * Whether a `/dev/disk/by-id` name (without the folder) means this disk. Made from sysfs, because an installer has no
 * udev: `wwn-…`, `nvme-eui.…`, `scsi-3…` by wwn, all others by bus, model and serial number, which ends the name.
 */
export function matchesById(name: string, disk: DiskFacts): boolean {
  const bus = name.slice(0, name.indexOf('-'));
  const rest = name.slice(bus.length + 1);
  if (disk.wwn !== null && wwnSpellings(bus, rest).includes(disk.wwn)) return true;
  const transports = transportsOfBus[bus];
  if (transports === undefined || disk.transport === null || !transports.includes(disk.transport)) return false;
  const serial = sanitize(disk.serial ?? '');
  if (serial === '') return false;
  if (bus === 'virtio') return rest === serial;
  const model = sanitize(disk.model ?? '');
  const end = bus === 'mmc' ? '' : '(_\\d+|-\\d+:\\d+)?';
  const match = new RegExp(`^(.*)_(0x)?${escapeRegExp(serial.replace(/^0x/, ''))}${end}$`).exec(rest);
  // SCSI cuts models off after 16 characters, so udev's may be longer than ours.
  return match !== null && (match[1] ?? '').startsWith(model);
}

function wwnSpellings(bus: string, rest: string): string[] {
  if (bus === 'wwn' || bus === 'nvme') return [normalizeWwn(rest)];
  if (bus === 'scsi' && /^[23]/.test(rest)) return [normalizeWwn(rest.slice(1))];
  return [];
}

/** How udev writes text into a name: white space becomes one underscore, what is not allowed one each. */
function sanitize(text: string): string {
  return text
    .trim()
    .replace(/\s+/g, '_')
    .replace(/[^\w#+\-.:=@]/g, '_');
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
