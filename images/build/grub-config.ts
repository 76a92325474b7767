import { rootPartitionNumber } from './disk-plan.ts';

/**
 * What the core runs before it knows scripts: the rescue parser has no `if`, so it only starts the real script, which
 * lies in the core's memdisk.
 */
export const embeddedConfig = 'normal (memdisk)/start.cfg\n';

/** Where the root partition is for the BIOS core: GRUB puts the drive it was loaded from before the comma. */
export const biosPrefix = `(,gpt${rootPartitionNumber})/boot/grub`;

/** The EFI core starts without a root; `start.cfg` finds it by `$cmdpath`. */
export const efiPrefix = '(memdisk)/boot/grub';

/**
 * The first script of both cores. It finds the root partition of the disk that GRUB was loaded from, without comparing
 * any identifier (two disks with the same image start each their own system), and hands over to its grub.cfg.
 * `$cmdpath` is `(hd0,gpt2)/EFI/BOOT`: the disk and folder that the firmware loaded this program from.
 */
export const startScript = `if [ "$grub_platform" = efi ]; then
  if regexp --set=1:boot_disk '^\\(([^)]*),[a-z]*[0-9]+\\)' "$cmdpath"; then
    set root="\${boot_disk},gpt${rootPartitionNumber}"
    set prefix="(\${boot_disk},gpt${rootPartitionNumber})/boot/grub"
  fi
fi
while [ ! -f "$prefix/grub.cfg" ]; do
  if [ "$grub_platform" = pc ]; then
    if serial --unit=0 --speed=115200; then
      terminal_input console serial
      terminal_output console serial
    fi
  fi
  clear
  echo "durantic: nothing to start: $prefix/grub.cfg is missing."
  echo
  echo "GRUB was loaded from this disk, but its root partition holds no boot"
  echo "configuration: the installation did not finish, or the layers of the image"
  echo "have none. Install again, or build the image with a /boot/grub/grub.cfg."
  echo
  echo "Enter looks again."
  read again
done
configfile "$prefix/grub.cfg"
`;

/**
 * Modules inside both cores: all that a grub.cfg made by Debian's grub-mkconfig asks for, so that it works even where
 * a layer hides the modules in /boot/grub. The rest of GRUB's modules is there, on the root file system.
 */
const commonModules = [
  ...[
    'memdisk',
    'tar',
    'part_gpt',
    'part_msdos',
    'ext2',
    'fat',
    'iso9660',
    'xfs',
    'btrfs',
    'lvm',
    'mdraid1x',
    'diskfilter',
  ],
  ...['normal', 'configfile', 'extcmd', 'boot', 'chain', 'linux', 'loopback', 'loadenv', 'blocklist', 'minicmd'],
  ...['search', 'search_fs_file', 'search_fs_uuid', 'search_label', 'probe', 'regexp', 'test', 'true', 'eval'],
  ...['echo', 'read', 'sleep', 'ls', 'cat', 'help', 'date', 'datetime', 'keystatus', 'gettext', 'hexdump'],
  ...['gzio', 'xzio', 'lzopio', 'zstd', 'serial', 'terminal', 'gfxterm', 'gfxmenu', 'gfxterm_background', 'font'],
  ...['video', 'all_video', 'png', 'jpeg', 'bitmap', 'halt', 'reboot', 'cpuid', 'smbios'],
];

export const biosModules: readonly string[] = [...commonModules, 'biosdisk', 'linux16', 'vbe', 'vga', 'drivemap'];
export const efiModules: readonly string[] = [
  ...commonModules,
  'efi_gop',
  'efi_uga',
  'efifwsetup',
  'lsefi',
  'appleldr',
];
