import type { DiskBus } from '../../test/vm/vm-disk.ts';

export interface DiskRequest {
  readonly bus: DiskBus;
  readonly sectorBytes: 512 | 4096;
  readonly sizeBytes: number;
}

const buses: readonly DiskBus[] = ['virtio', 'scsi', 'ahci', 'nvme', 'pvscsi', 'megasas', 'usb'];
const gib = 1024 ** 3;
const units: Readonly<Record<string, number>> = { M: 1024 ** 2, G: gib, T: 1024 ** 4 };
const mostDisks = 16;

/**
 * Disks from `N[:BUS][:4k][:SIZE]`, the parts after N in any order.
 * @throws Error that names the part that means nothing.
 */
export function parseDisks(values: readonly string[]): DiskRequest[] {
  const disks = values.flatMap(parseValue);
  if (disks.length > mostDisks) throw new Error(`--disks: ${disks.length} disks are more than ${mostDisks}`);
  return disks;
}

function parseValue(value: string): DiskRequest[] {
  const [count = '', ...parts] = value.split(':');
  if (!/^\d{1,2}$/.test(count)) throw new Error(`--disks: "${value}" does not begin with a number of disks`);
  let disk: DiskRequest = { bus: 'virtio', sectorBytes: 512, sizeBytes: 10 * gib };
  for (const part of parts) disk = { ...disk, ...parsePart(part) };
  if (disk.bus === 'ahci' && disk.sectorBytes === 4096) throw new Error('--disks: QEMU has no AHCI disks with 4k');
  return Array.from({ length: Number(count) }, () => disk);
}

function parsePart(part: string): Partial<DiskRequest> {
  const bus = buses.find((name) => name === part);
  if (bus !== undefined) return { bus };
  if (part.toLowerCase() === '4k') return { sectorBytes: 4096 };
  const [, number, unit = ''] = /^(\d{1,6})([MGT])$/.exec(part.toUpperCase()) ?? [];
  const sizeBytes = Number(number) * (units[unit] ?? 0);
  if (!(sizeBytes > 0)) {
    throw new Error(`--disks: "${part}" is no bus (${buses.join(', ')}), not "4k" and no size such as 20G`);
  }
  return { sizeBytes };
}
