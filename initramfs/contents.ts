/**
 * What the installer's second stage is made of: data only. Everything comes out of Debian packages of one release, never
 * out of the builder's own system, so that two developers get the same bytes.
 */

/** The newest stable release: its file system tools know what images of any current distribution were made with. */
export const debianSuite = 'trixie';

/** Debian package → programs taken from it (from its bin or sbin folders), with every library they load. */
export const programs: Readonly<Record<string, readonly string[]>> = {
  attr: ['getfattr', 'setfattr'],
  // For people: rescue and remote shell.
  bash: ['bash'],
  'btrfs-progs': ['btrfs'],
  'busybox-static': ['busybox'],
  // For scripts: busybox's shell takes its own applets before the real programs, whatever PATH says.
  dash: ['dash', 'sh'],
  'dhcpcd-base': ['dhcpcd'],
  dmsetup: ['dmsetup'],
  dosfstools: ['fsck.vfat', 'mkfs.vfat'],
  'dropbear-bin': ['dropbear', 'dropbearkey'],
  e2fsprogs: ['debugfs', 'dumpe2fs', 'e2fsck', 'fsck.ext4', 'mke2fs', 'mkfs.ext4', 'resize2fs', 'tune2fs'],
  efibootmgr: ['efibootmgr'],
  fdisk: ['sfdisk'],
  gdisk: ['sgdisk'],
  iproute2: ['ip'],
  'kexec-tools': ['kexec'],
  lvm2: ['lvm', 'lvs', 'pvs', 'vgchange', 'vgs'],
  mdadm: ['mdadm'],
  mount: ['losetup', 'mount', 'swapoff', 'swapon', 'umount'],
  mtools: ['mattrib', 'mcopy', 'mdel', 'mdir', 'mtools', 'mtype'],
  tar: ['tar'],
  'util-linux': [
    ...['blkdiscard', 'blkid', 'blockdev', 'dmesg', 'findmnt', 'flock', 'lsblk', 'mkswap', 'partx', 'swaplabel'],
    ...['setpriv', 'wipefs'],
  ],
  'util-linux-extra': ['hwclock'],
  xfsprogs: ['xfs_admin', 'xfs_db', 'xfs_growfs', 'xfs_io', 'xfs_repair'],
};

/** Debian package → other files, by their path. */
export const dataFiles: Readonly<Record<string, readonly string[]>> = {
  // What Node itself is linked with; the bundle brings libatomic.
  'libgcc-s1': ['usr/lib/x86_64-linux-gnu/libgcc_s.so.1'],
  'libstdc++6': ['usr/lib/x86_64-linux-gnu/libstdc++.so.6'],
  // mtools names files in code page 850, which glibc converts with a table that no program is linked with.
  libc6: ['usr/lib/x86_64-linux-gnu/gconv/IBM850.so'],
  // The screen, serial lines, and what a remote shell may come from.
  'ncurses-base': [
    ...['l/linux', 's/screen', 's/screen-256color', 't/tmux', 't/tmux-256color', 'v/vt100', 'v/vt102', 'v/vt220'],
    ...['x/xterm', 'x/xterm-256color'],
  ].map((name) => `usr/share/terminfo/${name}`),
};

/** Packages whose files are put together anew: see `madeFiles` in build/stage-two.ts. */
export const sourcePackages: readonly string[] = ['ca-certificates'];

/** Packages whose programs make squashfs and ISO: the same for every developer, whatever is installed. */
export const buildPackages: readonly string[] = [
  ...['grub-common', 'grub-efi-amd64-bin', 'grub-pc-bin', 'mtools', 'squashfs-tools', 'xorriso'],
];

/** Applets of busybox that have no place on a machine that is about to be written: package managers, servers, cron. */
export const unwantedApplets: ReadonlySet<string> = new Set([
  ...['crond', 'crontab', 'dpkg', 'dpkg-deb', 'ftpget', 'ftpput', 'httpd', 'rpm', 'rpm2cpio', 'svc', 'svok'],
  ...['telnetd', 'udhcpd', 'nuke', 'run-init', 'linuxrc', 'lpd', 'lpq', 'lpr', 'popmaildir', 'sendmail', 'tftpd'],
]);

/** Applets that `/init` uses before the second stage is there. */
export const firstStageApplets: readonly string[] = [
  ...['cat', 'cut', 'dmesg', 'grep', 'hexdump', 'ip', 'ln', 'mkdir', 'mount', 'printf', 'rm', 'sed', 'setsid', 'sh'],
  ...['sha256sum', 'sleep', 'stty', 'timeout', 'umount', 'hostname', 'chvt'],
];
