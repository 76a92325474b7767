/** A menu entry: its title and the kernel parameters it adds to the kernel's own (`console=ttyS0,115200 console=tty0`). */
export interface MenuEntry {
  readonly title: string;
  readonly parameters: string;
}

/**
 * What the medium's menu offers, whichever loader shows it. The installer finds server, pin and token by itself, in a
 * file of the medium, so that no secret stands here. The last `console=` is the one that /dev/console means.
 */
export const menuEntries: readonly MenuEntry[] = [
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

/** Seconds until the first entry starts; long enough to press a key, short enough for a machine without keyboard. */
export const menuTimeoutSeconds = 3;
