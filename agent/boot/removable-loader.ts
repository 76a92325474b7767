import type { InstalledDisk } from './installed-disk.ts';
import { type PeFile, parsePeFile } from './pe-file.ts';

/** Where firmware looks without any boot entry (UEFI 2.10, section 3.5.1.1), x86-64. */
export const removableLoaderPath = '/EFI/BOOT/BOOTX64.EFI';

export interface RemovableLoader {
  /** As spelled on the ESP. */
  readonly path: string;
  readonly bytes: Buffer;
  /** Null when the file is no PE image. */
  readonly pe: PeFile | null;
  readonly kind: 'systemd-boot' | 'unified kernel image' | 'other';
}

/** The loader on the removable path, or null when the disk has no ESP or the ESP no such file. */
export async function readRemovableLoader(disk: InstalledDisk): Promise<RemovableLoader | null> {
  const path = disk.espPaths.find((one) => one.toLowerCase() === removableLoaderPath.toLowerCase());
  if (disk.esp === null || path === undefined) return null;
  const bytes = await disk.esp.read(path);
  const pe = parsePeFile(bytes);
  const isUnified = pe?.sections.some(({ name }) => name === '.linux') === true;
  const isSystemdBoot = bytes.includes('LoaderInfo: systemd-boot') || bytes.includes('systemd-boot');
  return { path, bytes, pe, kind: isUnified ? 'unified kernel image' : isSystemdBoot ? 'systemd-boot' : 'other' };
}
