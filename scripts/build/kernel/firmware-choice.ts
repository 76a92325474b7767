/**
 * Debian packages (component non-free-firmware) that hold what the built-in drivers ask for. kernel-config/KERNEL names
 * their suite.
 */
export const firmwarePackages = [
  'firmware-bnx2',
  'firmware-bnx2x',
  'firmware-intel-misc',
  'firmware-misc-nonfree',
  'firmware-qlogic',
  'firmware-realtek',
] as const;

/** A file that a built-in driver asks for and the installer does not bring. */
export interface AbsentFirmware {
  readonly module: string;
  /** Matches the whole name that the driver asks for. */
  readonly files: RegExp;
  readonly kind: 'left out' | 'missing';
  /** Why, and what the driver then does; a cell of docs/hardware.md. */
  readonly reason: string;
}

/** Each entry must match something: one that has become pointless fails the build. */
export const absentFirmware: readonly AbsentFirmware[] = [
  {
    module: 'bnx2x',
    files: /bnx2x\/.*-7\.13\.15\.0\.fw/,
    kind: 'left out',
    reason: '7.13.15, which the driver takes only where 7.13.21 is absent',
  },
  {
    module: 'cxgb3',
    files: /cxgb3\/t3fw-.*\.bin/,
    kind: 'left out',
    reason:
      'the driver would write it to the adapter’s flash, and an installer changes no adapter; it goes on with its own',
  },
  {
    module: 'cxgb4',
    files: /cxgb4\/t[456]fw\.bin/,
    kind: 'left out',
    reason:
      'the driver would write it to the adapter’s flash, and an installer changes no adapter; it goes on with its own',
  },
  {
    module: 'netxen_nic',
    files: /phanfw\.bin/,
    kind: 'left out',
    reason: '1.2 MB; the driver takes what lies in the adapter’s flash',
  },
  {
    module: 'qlcnic',
    files: /phanfw\.bin/,
    kind: 'left out',
    reason: '1.2 MB; the driver takes what lies in the adapter’s flash unless it is told otherwise',
  },
  {
    module: 'isci',
    files: /isci\/isci_firmware\.bin/,
    kind: 'missing',
    reason: 'not in Debian; the driver takes the parameters from the board’s option ROM, else its defaults',
  },
  {
    module: 'r8169',
    files: /rtl_nic\/rtl8127a-1\.fw/,
    kind: 'missing',
    reason:
      'RTL8127 (10 Gbit/s): not in Debian 13; the adapter works without this patch of its PHY, maybe at lower speed',
  },
];
