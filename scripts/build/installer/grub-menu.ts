import { type MenuEntry, menuEntries, menuTimeoutSeconds } from './menu-entries.ts';

/** Where the medium's kernel is: in its ISO 9660 file system, or in a FAT image that is a file there. */
export interface KernelPlace {
  readonly path: string;
  /** Null: `path` is that of the ISO 9660 file system. */
  readonly fatImage: string | null;
}

/** What the core runs before it knows scripts: its rescue parser has no `if`. */
export const earlyScript = 'normal (memdisk)/menu.cfg\n';

/**
 * The script inside both cores (GRUB manual, "Shell-like scripting"). The medium is the one that GRUB was loaded from, if
 * it can tell, else the first that has the file with settings. A serial port is used under BIOS only: UEFI shows its own
 * console there.
 */
export function grubMenu(settingsPath: string, kernel: KernelPlace): string {
  const kernelFile = kernel.fatImage === null ? kernel.path : `(fat)${kernel.path}`;
  return `if [ "$grub_platform" = pc ]; then
  if serial --unit=0 --speed=115200; then
    terminal_input console serial
    terminal_output console serial
  fi
fi
set hint="$root"
regexp --set=1:hint '^\\(([^,)]*)' "$cmdpath"
if [ -f "($hint)${settingsPath}" ]; then
  set root="$hint"
else
  search --no-floppy --set=root --file ${settingsPath}
fi
${kernel.fatImage === null ? '' : `loopback fat ${kernel.fatImage}\n`}set timeout_style=menu
set timeout=${menuTimeoutSeconds}
set default=0
${menuEntries.map((entry) => menuEntry(entry, kernelFile)).join('')}`;
}

function menuEntry({ title, parameters }: MenuEntry, kernelFile: string): string {
  const line = `linux ${kernelFile} ${parameters}`.trim();
  return `menuentry '${title}' {
  echo 'Loading the durantic installer ...'
  ${line}
}
`;
}

const commonModules = [
  ...['memdisk', 'tar', 'normal', 'part_gpt', 'part_msdos', 'iso9660', 'search', 'search_fs_file', 'regexp', 'test'],
  ...['linux', 'boot', 'echo', 'serial', 'terminal', 'minicmd', 'reboot', 'halt'],
];

/** Everything is inside the cores: the medium has no modules, and none can be missing. */
export const grubModules = {
  'i386-pc': [...commonModules, 'biosdisk', 'vbe', 'video'],
  'x86_64-efi': [...commonModules, 'fat', 'efi_gop', 'efifwsetup'],
} as const;

/** What a core needs besides for a kernel in a FAT image. */
export const fatImageModules = ['loopback', 'fat'] as const;
