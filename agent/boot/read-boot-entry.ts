import { ProvisionError } from '../../core/base/errors.ts';
import type { RootfsContext } from '../rootfs/types.ts';
import type { FoundFile } from './grub-disk.ts';
import { type BootLayout, type InstalledDisk, openInstalledDisk } from './installed-disk.ts';
import { readGrubEntry } from './read-grub-entry.ts';
import { readLoaderEntry } from './read-loader-entry.ts';
import { removableLoaderPath } from './removable-loader.ts';

/** What the loader starts when nobody touches a key. */
export interface BootEntry {
  readonly loader: 'grub' | 'systemd-boot' | 'unified kernel image';
  /** The file that names it, `esp:/…` on the ESP. */
  readonly configPath: string;
  readonly title: string;
  readonly kernel: FoundFile;
  readonly initrds: readonly FoundFile[];
  readonly commandLine: string;
  /** GRUB starts it only after somebody has typed a name and a password. */
  readonly isLocked: boolean;
}

/** GRUB's `$grub_platform`; systemd-boot exists for `efi` only. */
export type BootPlatform = 'pc' | 'efi';

/**
 * Kernel, initrds and command line of the default entry, as the loader of that firmware finds them: grub.cfg (menus,
 * saved default, variables), loader entries of systemd-boot or of GRUB's `blscfg`, or a unified kernel image on the
 * removable path.
 * @throws ProvisionError `boot_path_invalid` saying what is missing; `tool_missing`, `tool_failed` of mtools.
 */
export async function readBootEntry(
  layout: BootLayout,
  platform: BootPlatform,
  ctx: RootfsContext,
): Promise<BootEntry> {
  return await readBootEntryOf(await openInstalledDisk(layout, ctx), platform);
}

/** The same for a disk that was opened already. */
export async function readBootEntryOf(disk: InstalledDisk, platform: BootPlatform): Promise<BootEntry> {
  if (platform === 'efi') {
    const entry = await readLoaderEntry(disk);
    if (entry !== null) return entry;
  }
  const entry = readGrubEntry(disk, platform);
  if (entry !== null) return entry;
  const places = ['/boot/grub/grub.cfg', '/boot/grub2/grub.cfg', ...(platform === 'efi' ? ['loader entries'] : [])];
  throw new ProvisionError(
    'boot_path_invalid',
    `the image has no configuration for its boot loader (${places.join(', ')})`,
    {
      facts: { platform, loader: platform === 'efi' ? removableLoaderPath : 'BIOS boot partition' },
    },
  );
}
