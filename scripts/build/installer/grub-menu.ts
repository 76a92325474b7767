/** A menu entry: its title and the kernel parameters it adds to the kernel's own (`console=ttyS0,115200 console=tty0`). */
interface Entry {
  readonly title: string;
  readonly parameters: string;
}

/**
 * The installer finds server, pin and token by itself, in a file of the medium, so that no secret stands here. The last
 * `console=` is the one that /dev/console means.
 */
const entries: readonly Entry[] = [
  { title: 'Install this machine', parameters: '' },
  {
    title: 'Install this machine, shown on the first serial port (ttyS0)',
    parameters: 'console=tty0 console=ttyS0,115200 durantic.console=serial',
  },
  {
    title: 'Install this machine, shown on the second serial port (ttyS1)',
    parameters: 'console=tty0 console=ttyS1,115200 durantic.console=serial',
  },
  { title: 'The same with a rescue shell (Alt-F2, or after a failure)', parameters: 'durantic.shell' },
  { title: 'The same with all messages of the kernel', parameters: 'loglevel=7 durantic.debug durantic.shell' },
];

export const kernelPath = '/boot/vmlinuz';

/** Seconds until the first entry starts; long enough to press a key, short enough for a machine without keyboard. */
const timeoutSeconds = 3;

/** What the core runs before it knows scripts: its rescue parser has no `if`. */
export const earlyScript = 'normal (memdisk)/menu.cfg\n';

/**
 * The script inside both cores (GRUB manual, "Shell-like scripting"). The medium is the one that GRUB was loaded from, if
 * it can tell, else the first that has the file with settings. A serial port is used under BIOS only: UEFI shows its own
 * console there.
 */
export function grubMenu(settingsPath: string): string {
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
set timeout_style=menu
set timeout=${timeoutSeconds}
set default=0
${entries.map(menuEntry).join('')}`;
}

function menuEntry({ title, parameters }: Entry): string {
  const line = `linux ${kernelPath} ${parameters}`.trim();
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
